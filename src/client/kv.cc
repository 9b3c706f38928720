// SPDX-License-Identifier: Apache-2.0
#include "transfer_queue/kv.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_set>

#include "wire/encode.h"

namespace tq {
namespace {

[[noreturn]] void fail(ErrorCode code, const std::string& message) { throw Error(code, message); }

// "'a', 'b' and 7 more".
std::string quoted(const std::vector<std::string>& names) {
  constexpr size_t kShown = 8;
  std::string text;
  for (size_t i = 0; i < std::min(kShown, names.size()); ++i) {
    text += fmt::format("{}'{}'", i == 0 ? "" : ", ", names[i]);
  }
  if (names.size() > kShown) text += fmt::format(" and {} more", names.size() - kShown);
  return text;
}

void require_keys(const std::vector<std::string>& keys) {
  if (keys.empty()) fail(ErrorCode::kInvalidArgument, "no keys were given; give at least one");
}

void require_different(const std::vector<std::string>& keys) {
  std::unordered_set<std::string_view> seen;
  for (const std::string& key : keys) {
    if (!seen.insert(key).second) {
      fail(ErrorCode::kInvalidArgument,
           fmt::format("the key '{}' was given twice; keys of one put must be different", key));
    }
  }
}

std::vector<std::string> field_names(const BatchMeta& meta) {
  std::vector<std::string> names;
  for (const auto& [name, schema] : meta.field_schema) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

// Which of the keys the partition does not have: asked only when some are missing.
std::vector<std::string> unknown_keys(TransferQueueClient& client,
                                      const std::vector<std::string>& keys,
                                      const std::string& partition_id) {
  std::unordered_set<std::string> known;
  for (const auto& [partition, entries] : client.kv_list(partition_id)) {
    for (const auto& [key, tag] : entries) known.insert(key);
  }
  std::vector<std::string> unknown;
  for (const std::string& key : keys) {
    if (!known.contains(key)) unknown.push_back(key);
  }
  return unknown;
}

BatchMeta look_up(TransferQueueClient& client, const std::vector<std::string>& keys,
                  const std::string& partition_id) {
  require_keys(keys);
  BatchMeta meta = client.kv_retrieve_meta(keys, partition_id, false);
  if (meta.size() != keys.size() && !client.options().ignore_missing) {
    fail(ErrorCode::kNotFound, fmt::format("partition '{}' has no key {}", partition_id,
                                           quoted(unknown_keys(client, keys, partition_id))));
  }
  return meta;
}

// The fields to fetch: those asked for, or all that the samples share.
std::vector<std::string> fields_to_fetch(TransferQueueClient& client, const BatchMeta& meta,
                                         const std::vector<std::string>& select_fields,
                                         const std::string& partition_id) {
  std::vector<std::string> shared = field_names(meta);
  if (select_fields.empty()) {
    if (!shared.empty()) return shared;
    fail(ErrorCode::kNotFound,
         fmt::format("the samples of partition '{}' have no field in common that is ready",
                     partition_id));
  }
  std::vector<std::string> ready;
  std::vector<std::string> missing;
  for (const std::string& field : select_fields) {
    const bool there = std::binary_search(shared.begin(), shared.end(), field);
    (there ? ready : missing).push_back(field);
  }
  if (ready.empty() || (!missing.empty() && !client.options().ignore_missing)) {
    fail(ErrorCode::kNotFound,
         fmt::format("field {} is not ready for all of these keys in partition '{}'; ready are: {}",
                     quoted(missing), partition_id, shared.empty() ? "none" : quoted(shared)));
  }
  return ready;
}

Batch one_row(const std::vector<std::pair<std::string, Value>>& fields) {
  Batch batch;
  for (const auto& [name, value] : fields) {
    if (const Tensor* tensor = value.get_if<Tensor>()) {
      Tensor row = *tensor;
      row.shape.insert(row.shape.begin(), 1);
      batch.set(name, Column::dense(std::move(row)));
    } else if (value.get_if<NestedTensor>() != nullptr) {
      fail(ErrorCode::kInvalidArgument,
           fmt::format("field '{}' is a nested tensor, which is a batch; use kv_batch_put", name));
    } else {
      batch.set(name, Column::values({value}));
    }
  }
  return batch;
}

std::vector<std::string> all_fields(const BatchMeta& before, const Batch& written) {
  std::vector<std::string> fields = field_names(before);
  for (const auto& [name, column] : written.columns()) fields.push_back(name);
  std::sort(fields.begin(), fields.end());
  fields.erase(std::unique(fields.begin(), fields.end()), fields.end());
  return fields;
}

// Whether two keys of dicts are the same: texts mostly; others when the wire writes them alike.
bool are_same_key(const Value& a, const Value& b) {
  const std::string* a_text = a.get_if<std::string>();
  const std::string* b_text = b.get_if<std::string>();
  if (a_text != nullptr || b_text != nullptr) {
    return a_text != nullptr && b_text != nullptr && *a_text == *b_text;
  }
  return wire::encode_value(a)[0].view() == wire::encode_value(b)[0].view();
}

// Python's dict.update: entries of other names stay.
void update_tag(Value& tag, const Map& changes) {
  if (tag.get_if<Map>() == nullptr) tag = Map{};
  Map& entries = *tag.get_mutable_if<Map>();
  for (const auto& [name, value] : changes) {
    const auto known = std::find_if(entries.begin(), entries.end(), [&key = name](const auto& e) {
      return are_same_key(e.first, key);
    });
    if (known != entries.end()) {
      known->second = value;
    } else {
      entries.emplace_back(name, value);
    }
  }
}

void put_columns(TransferQueueClient& client, const std::vector<std::string>& keys,
                 const Batch& fields, const BatchMeta& meta) {
  try {
    client.put(fields, meta);
  } catch (const PartialPutError& error) {
    std::vector<std::string> missing;
    for (size_t row : error.rows_not_stored()) missing.push_back(keys[row]);
    const std::string message =
        fmt::format("{}; not stored: {} of {} keys ({}); repeating the put is safe", error.what(),
                    missing.size(), keys.size(), quoted(missing));
    throw PartialPutError(Error(error.code(), message), error.rows_not_stored());
  }
}

KVBatchMeta put_rows(TransferQueueClient& client, const std::vector<std::string>& keys,
                     const std::string& partition_id, const Batch& fields,
                     const std::vector<Map>& tags) {
  require_keys(keys);
  require_different(keys);
  if (fields.empty() && tags.empty()) {
    fail(ErrorCode::kInvalidArgument, "neither fields nor tags were given; give one of them");
  }
  if (!fields.empty() && fields.size() != keys.size()) {
    fail(ErrorCode::kInvalidArgument, fmt::format("there are {} keys, but the columns have {} rows",
                                                  keys.size(), fields.size()));
  }
  if (!tags.empty() && tags.size() != keys.size()) {
    fail(ErrorCode::kInvalidArgument,
         fmt::format("there are {} keys, but {} tags; give one a key", keys.size(), tags.size()));
  }
  BatchMeta meta = client.kv_retrieve_meta(keys, partition_id, true);
  if (meta.size() != keys.size()) {
    fail(ErrorCode::kInternal,
         fmt::format("the controller registered {} of {} keys", meta.size(), keys.size()));
  }
  if (!fields.empty()) put_columns(client, keys, fields, meta);
  if (!tags.empty()) {
    for (size_t i = 0; i < tags.size(); ++i) update_tag(meta.custom_meta[i], tags[i]);
    client.set_custom_meta(meta);
  }
  return {keys, meta.custom_meta, partition_id, all_fields(meta, fields)};
}

}  // namespace

KVBatchMeta kv_put(TransferQueueClient& client, const std::string& key,
                   const std::string& partition_id,
                   const std::vector<std::pair<std::string, Value>>& fields,
                   const std::optional<Map>& tag) {
  std::vector<Map> tags;
  if (tag) tags.push_back(*tag);
  return put_rows(client, {key}, partition_id, one_row(fields), tags);
}

KVBatchMeta kv_batch_put(TransferQueueClient& client, const std::vector<std::string>& keys,
                         const std::string& partition_id, const Batch& fields,
                         const std::vector<Map>& tags) {
  return put_rows(client, keys, partition_id, fields, tags);
}

Batch kv_batch_get(TransferQueueClient& client, const std::vector<std::string>& keys,
                   const std::string& partition_id, const std::vector<std::string>& select_fields,
                   GetForm form) {
  const BatchMeta meta = look_up(client, keys, partition_id);
  if (meta.size() == 0) {  // an error in Python too
    fail(ErrorCode::kNotFound,
         fmt::format("partition '{}' has none of the keys {}", partition_id, quoted(keys)));
  }
  const std::vector<std::string> fields =
      fields_to_fetch(client, meta, select_fields, partition_id);
  return client.get_data(meta, fields, form);
}

Batch kv_batch_get_by_meta(TransferQueueClient& client, const KVBatchMeta& meta,
                           const std::vector<std::string>& select_fields, GetForm form) {
  std::vector<std::string> unknown;
  for (const std::string& field : select_fields) {
    if (std::find(meta.fields.begin(), meta.fields.end(), field) == meta.fields.end()) {
      unknown.push_back(field);
    }
  }
  if (!unknown.empty()) {
    fail(ErrorCode::kInvalidArgument, fmt::format("field {} is not among the metadata's: {}",
                                                  quoted(unknown), quoted(meta.fields)));
  }
  return kv_batch_get(client, meta.keys, meta.partition_id,
                      select_fields.empty() ? meta.fields : select_fields, form);
}

KVListing kv_list(TransferQueueClient& client, const std::optional<std::string>& partition_id) {
  return client.kv_list(partition_id);
}

KVChanges kv_list_changes(TransferQueueClient& client, const std::string& partition_id,
                          const std::string& since, std::chrono::milliseconds wait) {
  return client.kv_list_changes(partition_id, since, wait);
}

void kv_clear(TransferQueueClient& client, const std::vector<std::string>& keys,
              const std::string& partition_id) {
  client.clear_samples(look_up(client, keys, partition_id));
}

}  // namespace tq
