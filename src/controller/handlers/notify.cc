// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controller/handlers/handlers.h"

namespace tq::controller {
namespace {

constexpr size_t kNamedMax = 8;  // indexes that an error names

// A late notification must not bring back a sample that was cleared meanwhile: its index may have
// another owner. One such index refuses the message, for its sender works from a stale BatchMeta.
IndexSet owned_rows(const Partition& partition, const wire::Indexes& indexes) {
  wire::Indexes strangers;
  size_t stranger_count = 0;
  for (int64_t index : indexes) {
    if (partition.owns(index)) continue;
    if (++stranger_count <= kNamedMax) strangers.push_back(index);
  }
  if (stranger_count > 0) {
    fail(ErrorCode::kNotFound,
         "body.global_indexes names {} that partition '{}' does not have (never registered, or "
         "cleared since): [{}{}]",
         stranger_count, partition.id(), fmt::join(strangers, ", "),
         stranger_count > kNamedMax ? ", ..." : "");
  }
  return IndexSet(indexes);
}

void check_fields(const State& state, const Partition& partition,
                  const wire::NotifyDataUpdate& message, const IndexSet& rows) {
  const size_t fields =
      partition.fields().size() + partition.count_new_fields(message.field_schema);
  if (fields > state.config.limits.fields_max) {
    fail(ErrorCode::kLimit, "partition '{}' would have {} fields; the limit is {}", partition.id(),
         fields, state.config.limits.fields_max);
  }
  for (const auto& [name, update] : message.field_schema) {
    FieldMetadata::validate(name, update, rows, state.config.limits);
  }
}

// What other storage backends noted, by index.
using BackendMeta = std::vector<std::pair<int64_t, const wire::Map*>>;

BackendMeta backend_meta_of(const wire::Value& meta) {
  BackendMeta found;
  if (meta.is_nil()) return found;
  const auto* rows = meta.get_if<wire::Map>();
  if (rows == nullptr) {
    fail(ErrorCode::kWrongType, "body.custom_backend_meta must be a dict, got {}",
         meta.kind_name());
  }
  for (const auto& [key, fields] : *rows) {
    const auto* index = key.get_if<int64_t>();
    const auto* entries = fields.get_if<wire::Map>();
    if (index == nullptr || entries == nullptr) {
      fail(ErrorCode::kWrongType, "body.custom_backend_meta must map int to dict, got {} to {}",
           key.kind_name(), fields.kind_name());
    }
    found.emplace_back(*index, entries);
  }
  return found;
}

void check_backend_meta(const State& state, const Partition& partition, const BackendMeta& meta) {
  for (const auto& [index, fields] : meta) {
    if (index < 0 || !partition.owns(index)) {
      fail(ErrorCode::kNotFound,
           "body.custom_backend_meta names index {}, which partition '{}' does not have", index,
           partition.id());
    }
    const wire::Map* known = partition.find_backend_meta(index);
    if (fields->size() + (known != nullptr ? known->size() : 0) > state.config.limits.fields_max) {
      fail(ErrorCode::kLimit, "body.custom_backend_meta of index {} has too many fields", index);
    }
    for (const auto& [name, value] : *fields) {
      if (name.get_if<std::string>() == nullptr) {
        fail(ErrorCode::kWrongType, "body.custom_backend_meta of index {} has a key of type {}",
             index, name.kind_name());
      }
    }
  }
}

}  // namespace

runtime::Outcome handle(State& state, const Call& call, wire::NotifyDataUpdate message) {
  if (!message.partition_id) fail(ErrorCode::kMissingKey, "'partition_id' must be in the body");
  Partition* partition = state.partitions.find(*message.partition_id);
  if (partition == nullptr) {
    fail(ErrorCode::kNotFound, "there is no partition '{}'", *message.partition_id);
  }
  const IndexSet rows = owned_rows(*partition, message.global_indexes);
  check_fields(state, *partition, message, rows);
  const BackendMeta backend_meta = backend_meta_of(message.custom_backend_meta);
  check_backend_meta(state, *partition, backend_meta);

  const std::optional<std::string> conflict = partition->produce(rows, message.field_schema);
  for (const auto& [index, fields] : backend_meta) partition->merge_backend_meta(index, *fields);
  state.changed(partition->id());
  state.listing_changed(partition->id());

  wire::NotifyDataUpdateAck ack{state.id, message.partition_id, true, std::nullopt};
  if (conflict) {
    // As upstream has it, and clients rely on it: the rows are ready, yet the answer is no.
    ack.success = false;
    ack.message = *conflict + "; all rows of a field must have one dtype";
    runtime::Reply answer = reply(state, call, ack);
    answer.refusal = ErrorCode::kInvalidArgument;
    return answer;
  }
  return with_samples(reply(state, call, ack), message.global_indexes.size());
}

}  // namespace tq::controller
