// SPDX-License-Identifier: Apache-2.0
// The operations of KVBatchMeta (upstream: transfer_queue.metadata).
#include <fmt/format.h>

#include <set>
#include <unordered_map>
#include <unordered_set>

#include "client/meta_parts.h"
#include "transfer_queue/kv.h"

namespace tq {
namespace {

KVBatchMeta at_positions(const KVBatchMeta& meta, std::span<const size_t> positions) {
  KVBatchMeta chosen = meta;
  chosen.keys = client::at(meta.keys, positions);
  chosen.tags = client::at(meta.tags, positions);
  return chosen;
}

void check_fits(const KVBatchMeta& first, const KVBatchMeta& part) {
  const auto as_set = [](const std::vector<std::string>& names) {
    return std::set<std::string_view>(names.begin(), names.end());
  };
  if (part.partition_id != first.partition_id) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("keys of partitions '{}' and '{}' cannot be one batch",
                            first.partition_id, part.partition_id));
  }
  if (as_set(part.fields) != as_set(first.fields)) {
    throw Error(ErrorCode::kInvalidArgument, "keys with different fields cannot be one batch");
  }
}

void check_unique(const std::vector<std::string>& keys) {
  std::unordered_set<std::string_view> seen;
  for (const std::string& key : keys) {
    if (seen.insert(key).second) continue;
    throw Error(ErrorCode::kInvalidArgument, fmt::format("key '{}' comes twice", key));
  }
}

}  // namespace

KVBatchMeta KVBatchMeta::select_keys(const std::vector<std::string>& wanted) const {
  check_unique(wanted);
  std::unordered_map<std::string_view, size_t> places;
  for (size_t i = 0; i < keys.size(); ++i) places.emplace(keys[i], i);
  std::vector<size_t> positions;
  for (const std::string& key : wanted) {
    const auto place = places.find(key);
    if (place == places.end()) {
      throw Error(ErrorCode::kNotFound, fmt::format("the batch has no key '{}'", key));
    }
    positions.push_back(place->second);
  }
  return at_positions(*this, positions);
}

KVBatchMeta KVBatchMeta::reorder(std::span<const size_t> positions) const {
  client::check_order(positions, size());
  return at_positions(*this, positions);
}

std::vector<KVBatchMeta> KVBatchMeta::chunk(size_t chunks) const {
  std::vector<KVBatchMeta> parts;
  for (const auto& [begin, end] : client::chunk_bounds(size(), chunks)) {
    std::vector<size_t> positions;
    for (size_t i = begin; i < end; ++i) positions.push_back(i);
    parts.push_back(at_positions(*this, positions));
  }
  return parts;
}

KVBatchMeta KVBatchMeta::concat(std::span<const KVBatchMeta> parts) {
  const KVBatchMeta* first = nullptr;
  KVBatchMeta whole;
  for (size_t i = 0; i < parts.size(); ++i) {
    const KVBatchMeta& part = parts[i];
    if (part.size() == 0) continue;
    if (first == nullptr) {
      first = &part;
      whole.partition_id = part.partition_id;
      whole.fields = part.fields;
    }
    check_fits(*first, part);
    whole.keys.insert(whole.keys.end(), part.keys.begin(), part.keys.end());
    whole.tags.insert(whole.tags.end(), part.tags.begin(), part.tags.end());
    client::merge_extra_info(whole.extra_info, part.extra_info, i);
  }
  check_unique(whole.keys);
  return whole;
}

}  // namespace tq
