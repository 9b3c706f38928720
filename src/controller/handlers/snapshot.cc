// SPDX-License-Identifier: Apache-2.0
#include "controller/batch.h"
#include "controller/handlers/handlers.h"

namespace tq::controller {
namespace {

void fill(const Partition& partition, wire::GetPartitionSnapshotResponse& response) {
  wire::Names fields;
  for (const Field& field : partition.fields()) {
    fields.push_back(field.name);
    response.produced.emplace_back(field.name, index_tensor(field.produced.to_vector()));
  }
  response.metadata =
      make_batch_meta(partition, partition.active().to_vector(), fields, Production::kAsKnown);
  response.pre_allocated = index_tensor(partition.pre_allocated().to_vector());
  for (const auto& [task, consumption] : partition.tasks()) {
    response.consumed.emplace_back(task, index_tensor(consumption.consumed().to_vector()));
  }
  response.keys.reserve(partition.keys().size());
  partition.keys().for_each(
      [&](std::string_view key, int64_t index) { response.keys.emplace_back(key, index); });
}

}  // namespace

runtime::Outcome handle(State& state, const Call& call, wire::GetPartitionSnapshot message) {
  wire::GetPartitionSnapshotResponse response{std::nullopt, index_tensor({}), {}, {}, {}};
  const Partition* partition = state.partitions.find(message.partition_id);
  if (partition != nullptr) fill(*partition, response);
  return reply(state, call, response);
}

}  // namespace tq::controller
