// SPDX-License-Identifier: Apache-2.0
#include <unordered_map>
#include <utility>

#include "controller/handlers/handlers.h"

namespace tq::controller {
namespace {

using RowsByPartition = std::unordered_map<Partition*, IndexSet>;

// The active samples among those that a request names. Upstream passes over the others, and over
// partitions that are not there.
RowsByPartition active_rows(State& state, const wire::Indexes& indexes,
                            const wire::Names& partition_ids) {
  if (indexes.size() != partition_ids.size()) {
    fail(ErrorCode::kInvalidArgument,
         "body.global_indexes has {} items, body.partition_ids {}; they must have the same",
         indexes.size(), partition_ids.size());
  }
  RowsByPartition rows;
  Partition* partition = nullptr;
  for (size_t i = 0; i < indexes.size(); ++i) {
    if (i == 0 || partition_ids[i] != partition_ids[i - 1]) {
      partition = state.partitions.find(partition_ids[i]);
    }
    if (partition != nullptr && partition->active().contains(indexes[i])) {
      rows[partition].insert(indexes[i]);
    }
  }
  return rows;
}

}  // namespace

runtime::Outcome handle(State& state, const Call& call, wire::MarkClearing message) {
  const RowsByPartition rows = active_rows(state, message.global_indexes, message.partition_ids);
  for (const auto& [partition, marked] : rows) partition->withdraw(marked);
  return reply(state, call, wire::MarkClearingResponse{"the samples are marked for clearing"});
}

runtime::Outcome handle(State& state, const Call& call, wire::ClearMeta message) {
  RowsByPartition rows = active_rows(state, message.global_indexes, message.partition_ids);
  for (auto& [partition, cleared] : rows) {
    partition->clear(cleared);
    state.samplers.samples_cleared(partition->id(), cleared.to_vector());
    state.changed(partition->id());
    state.listing_changed(partition->id());
    state.indexes.release(std::move(cleared), call.now);
  }
  return with_samples(
      reply(state, call,
            wire::ClearMetaResponse{fmt::format("the samples are cleared at {}", state.id)}),
      message.global_indexes.size());
}

runtime::Outcome handle(State& state, const Call& call, wire::ClearPartition message) {
  if (const Partition* partition = state.partitions.find(message.partition_id)) {
    IndexSet samples;
    samples.add(partition->active());
    samples.add(partition->pre_allocated());
    state.partitions.erase(message.partition_id);
    state.samplers.clear_cache(message.partition_id);
    state.changed(message.partition_id);
    state.listing_changed(message.partition_id);
    state.indexes.release(std::move(samples), call.now);
  }
  return reply(
      state, call,
      wire::ClearPartitionResponse{fmt::format("the partition is cleared at {}", state.id)});
}

}  // namespace tq::controller
