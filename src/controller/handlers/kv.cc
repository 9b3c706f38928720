// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <utility>

#include "controller/batch.h"
#include "controller/extension.h"
#include "controller/handlers/handlers.h"

namespace tq::controller {
namespace {

using Lookup = std::vector<std::optional<int64_t>>;

// Nothing for a key that is not there.
Lookup look_up(const Partition* partition, const wire::Names& keys) {
  Lookup found(keys.size());
  if (partition == nullptr) return found;
  for (size_t i = 0; i < keys.size(); ++i) found[i] = partition->keys().find(keys[i]);
  return found;
}

size_t missing_in(const Lookup& found) {
  size_t missing = 0;
  for (const auto& index : found) missing += index ? 0 : 1;
  return missing;
}

// A key that stands in the request twice gets two samples, as upstream has it.
void register_missing(State& state, const Call& call, const std::string& partition_id,
                      const wire::Names& keys, Lookup& found) {
  const size_t missing = missing_in(found);
  state.ensure_can_register(partition_id, missing);
  const wire::Indexes samples = state.register_samples(partition_id, missing, call.now);
  Partition& partition = *state.partitions.find(partition_id);
  size_t used = 0;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (found[i]) continue;
    found[i] = samples[used++];
    partition.assign_key(keys[i], *found[i]);
  }
  if (missing > 0) state.listing_changed(partition_id);
}

// Every field, when there are no rows: upstream then shows all that the partition has.
wire::Names fields_of_all(const Partition& partition, const IndexSet& rows) {
  wire::Names names;
  for (const Field& field : partition.fields()) {
    if (field.produced.contains_all(rows)) names.push_back(field.name);
  }
  return names;
}

wire::BatchMeta retrieve(State& state, const Call& call, const std::string& partition_id,
                         const wire::Names& keys, bool create) {
  Lookup found = look_up(state.partitions.find(partition_id), keys);
  if (create) register_missing(state, call, partition_id, keys, found);
  const Partition* partition = state.partitions.find(partition_id);
  if (partition == nullptr) return {};
  wire::Indexes samples;
  samples.reserve(found.size());
  for (const auto& index : found) {
    if (index) samples.push_back(*index);
  }
  const wire::Names fields = fields_of_all(*partition, IndexSet(samples));
  const Production production = fields.empty() ? Production::kAsKnown : Production::kAll;
  return make_batch_meta(*partition, std::move(samples), fields, production);
}

}  // namespace

runtime::Outcome handle(State& state, const Call& call, wire::KvRetrieveMeta message) {
  return reply(state, call,
               wire::KvRetrieveMetaResponse{
                   retrieve(state, call, message.partition_id, message.keys, message.create)});
}

runtime::Outcome handle(State& state, const Call& call, wire::KvRetrieveKeys message) {
  if (!message.global_indexes) {
    if (!message.keys) fail(ErrorCode::kMissingKey, "'global_indexes' must be in the body");
    return reply(
        state, call,
        wire::OldKvRetrieveKeysResponse{retrieve(state, call, message.partition_id, *message.keys,
                                                 message.create.value_or(false))});
  }
  wire::KvRetrieveKeysResponse response;
  if (const Partition* partition = state.partitions.find(message.partition_id)) {
    for (const std::optional<int64_t>& index : *message.global_indexes) {
      if (!index) {  // upstream gives up on the whole list
        response.keys.clear();
        break;
      }
      const std::optional<std::string_view> key = partition->keys().key_of(*index);
      response.keys.push_back(key ? std::optional<std::string>(*key) : std::nullopt);
    }
  }
  return reply(state, call, response);
}

runtime::Outcome handle(State& state, const Call& call, wire::KvList message) {
  if (const auto since = since_of(call.request.body, state.config.limits)) {
    return list_changes(state, call, message, *since);
  }
  wire::KvListResponse response;
  const auto list = [&](const Partition& partition) {
    response.partition_info.emplace_back(partition.id(), listing_of(partition));
  };
  if (!message.partition_id) {
    for (const Partition& partition : state.partitions) list(partition);
  } else if (const Partition* partition = state.partitions.find(*message.partition_id)) {
    list(*partition);
  } else {
    response.message = fmt::format("there is no partition '{}'", *message.partition_id);
  }
  return reply(state, call, response);
}

}  // namespace tq::controller
