// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "controller/handlers/handlers.h"

namespace tq::controller {

wire::Tensor index_tensor(const wire::Indexes& indexes) {
  auto [data, bytes] = wire::Slice::allocate(indexes.size() * sizeof(int64_t));
  if (!indexes.empty()) std::memcpy(bytes, indexes.data(), data.size);
  return {wire::DType::int64, {static_cast<int64_t>(indexes.size())}, std::move(data)};
}

namespace {

// Row by row: whether each of the sets has the index.
wire::Tensor status_tensor(const wire::Indexes& rows, const std::vector<const IndexSet*>& columns,
                           wire::Shape shape) {
  auto [data, bytes] = wire::Slice::allocate(rows.size() * columns.size());
  for (int64_t index : rows) {
    for (const IndexSet* column : columns) *bytes++ = std::byte{column->contains(index)};
  }
  return {wire::DType::int8, std::move(shape), std::move(data)};
}

// The positions that the deprecated sample_filter chooses of the rows.
wire::Indexes filtered(const wire::Indexes& rows, const wire::Indexes& filter) {
  wire::Indexes chosen;
  chosen.reserve(filter.size());
  for (int64_t position : filter) {
    if (static_cast<size_t>(position) >= rows.size()) {
      fail(ErrorCode::kInvalidArgument, "body.sample_filter names position {} of {} samples",
           position, rows.size());
    }
    chosen.push_back(rows[static_cast<size_t>(position)]);
  }
  return chosen;
}

// The sets of the wanted fields in order of registration, each once; none when one is unknown.
std::vector<const IndexSet*> produced_columns(const Partition& partition,
                                              const wire::Names& fields) {
  std::vector<size_t> positions;
  for (const std::string& name : fields) {
    const std::optional<size_t> position = partition.find_field(name);
    if (!position) return {};
    positions.push_back(*position);
  }
  std::sort(positions.begin(), positions.end());
  positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
  std::vector<const IndexSet*> columns;
  columns.reserve(positions.size());
  for (size_t position : positions) columns.push_back(&partition.fields()[position].produced);
  return columns;
}

}  // namespace

runtime::Outcome handle(State& state, const Call& call, wire::GetConsumption message) {
  wire::ConsumptionResponse response{message.partition_id, std::nullopt, std::nullopt};
  if (Partition* partition = state.partitions.find(message.partition_id)) {
    const wire::Indexes samples = partition->indexes();
    const bool filter = message.sample_filter && !message.sample_filter->empty();
    const wire::Indexes rows = filter ? filtered(samples, *message.sample_filter) : samples;
    const Consumption& task = state.obtain_task(*partition, message.task_name);
    response.global_index = index_tensor(samples);
    response.consumption_status =
        status_tensor(rows, {&task.consumed()}, {static_cast<int64_t>(rows.size())});
  }
  return reply(state, call, response);
}

runtime::Outcome handle(State& state, const Call& call, wire::ResetConsumption message) {
  if (Partition* partition = state.partitions.find(message.partition_id)) {
    partition->reset_consumption(message.task_name);
    state.changed(message.partition_id);
  }
  return reply(
      state, call,
      wire::ResetConsumptionResponse{
          message.partition_id, true,
          fmt::format("the consumption of partition '{}' is reset", message.partition_id)});
}

runtime::Outcome handle(State& state, const Call& call, wire::GetProduction message) {
  wire::ProductionResponse response{message.partition_id, std::nullopt, std::nullopt};
  const Partition* partition = state.partitions.find(message.partition_id);
  if (partition != nullptr && message.data_fields) {
    const std::vector<const IndexSet*> columns = produced_columns(*partition, *message.data_fields);
    if (!columns.empty()) {
      const wire::Indexes rows = partition->indexes();
      response.global_index = index_tensor(rows);
      response.production_status = status_tensor(
          rows, columns, {static_cast<int64_t>(rows.size()), static_cast<int64_t>(columns.size())});
    }
  }
  return reply(state, call, response);
}

runtime::Outcome handle(State& state, const Call& call, wire::GetListPartitions) {
  wire::ListPartitionsResponse response;
  for (const Partition& partition : state.partitions) {
    response.partition_ids.push_back(partition.id());
  }
  return reply(state, call, response);
}

}  // namespace tq::controller
