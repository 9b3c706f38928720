// SPDX-License-Identifier: Apache-2.0
#include "controller/metrics.h"

#include <algorithm>
#include <string>

namespace tq::controller {
namespace {

using runtime::Gauge;

// Series of one answer: at ten a partition some thousand partitions.
constexpr size_t kSeriesMax = 20'000;
constexpr const char* kAnyTask = "all";  // upstream's label for production without a task

double ratio(size_t part, size_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

// Samples of which some field is produced.
size_t produced_samples(const Partition& partition) {
  if (partition.fields().size() == 1) return partition.fields().front().produced.size();
  IndexSet any;
  for (const Field& field : partition.fields()) any.add(field.produced);
  return any.size();
}

class Collector {
 public:
  void add(std::string_view name, double value,
           std::vector<std::pair<std::string_view, std::string>> labels = {}) {
    gauges_.push_back({name, std::move(labels), value});
  }
  void add_partition(const Partition& partition);
  bool has_room(size_t series) const { return gauges_.size() + series <= kSeriesMax; }
  std::vector<Gauge> take() { return std::move(gauges_); }

 private:
  std::vector<Gauge> gauges_;
};

void Collector::add_partition(const Partition& partition) {
  const std::string& id = partition.id();
  const size_t total = partition.active().size();
  add("tq_partition_samples_total", static_cast<double>(total), {{"partition_id", id}});
  // Upstream says nothing of production before there is a field.
  const bool has_fields = !partition.fields().empty();
  const double produced = has_fields ? ratio(produced_samples(partition), total) : 0;
  const auto add_production = [&](const std::string& task) {
    add("tq_partition_production_progress", produced, {{"partition_id", id}, {"task_name", task}});
  };
  if (has_fields) add_production(kAnyTask);
  for (const auto& [task, consumption] : partition.tasks()) {
    add_production(task);
    add("tq_partition_consumption_progress", ratio(consumption.consumed().size(), total),
        {{"partition_id", id}, {"task_name", task}});
    add("tq_partition_consumed_samples", static_cast<double>(consumption.consumed().size()),
        {{"partition_id", id}, {"task_name", task}});
  }
  for (const Field& field : partition.fields()) {
    const auto labels = [&] {
      return std::vector<std::pair<std::string_view, std::string>>{{"partition_id", id},
                                                                   {"field_name", field.name}};
    };
    add("tq_partition_field_produced_samples", static_cast<double>(field.produced.size()),
        labels());
    if (const auto bytes = field.metadata.tensor_bytes()) {
      add("tq_partition_field_bytes", static_cast<double>(*bytes), labels());
    }
  }
}

size_t series_of(const Partition& partition) {
  return 2 + 3 * partition.task_count() + 2 * partition.fields().size();
}

}  // namespace

std::vector<Gauge> gauges(const State& state) {
  Collector collector;
  collector.add("tq_partitions_total", static_cast<double>(state.partitions.size()));
  collector.add("tq_global_index_allocated_total",
                static_cast<double>(state.indexes.allocated_count()));
  collector.add("tq_global_index_reusable_total", static_cast<double>(state.indexes.freed_count()));
  size_t left_out = 0;
  for (const Partition& partition : state.partitions) {
    if (collector.has_room(series_of(partition))) {
      collector.add_partition(partition);
    } else {
      ++left_out;
    }
  }
  collector.add("tq_partitions_left_out", static_cast<double>(left_out));
  return collector.take();
}

}  // namespace tq::controller
