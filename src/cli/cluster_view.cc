// SPDX-License-Identifier: Apache-2.0
#include "cli/cluster_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "client/controller_client.h"

namespace tq::cli {
namespace {

using manager::Deadline;
using manager::NodeMetrics;

// Of a Python controller, which is asked for each one by one.
constexpr size_t kPartitionsMax = 200;

std::string label(const manager::NodeGauge& gauge, std::string_view name) {
  for (const auto& [known, value] : gauge.labels) {
    if (known == name) return value;
  }
  return {};
}

// What a C++ controller tells in one answer.
void read_partitions(const NodeMetrics& metrics, ClusterView& view) {
  for (const manager::NodeGauge& gauge : metrics.gauges) {
    if (gauge.name == "tq_partitions_left_out") {
      view.partitions_left_out = static_cast<size_t>(gauge.value);
    }
    const std::string id = label(gauge, "partition_id");
    if (gauge.labels.empty()) continue;
    ClusterView::Partition& partition = view.partitions[id];
    if (gauge.name == "tq_partition_samples_total") {
      partition.samples = gauge.value;
    } else if (gauge.name == "tq_partition_consumed_samples") {
      partition.tasks[label(gauge, "task_name")] = gauge.value;
    } else if (gauge.name == "tq_partition_field_produced_samples") {
      partition.fields[label(gauge, "field_name")].ready = gauge.value;
    } else if (gauge.name == "tq_partition_field_bytes") {
      partition.fields[label(gauge, "field_name")].bytes = gauge.value;
    }
  }
}

double ones(const std::optional<Tensor>& status) {
  if (!status || status->dtype != DType::int8) return 0;
  const std::string_view bytes = status->data.view();
  return static_cast<double>(std::count(bytes.begin(), bytes.end(), '\1'));
}

std::string version_of(const NodeMetrics& metrics) {
  return metrics.is_ours ? fmt::format("C++ {}", metrics.version) : std::string("Python");
}

}  // namespace

struct ClusterWatch::Impl {
  Impl(Nodes nodes_in, std::chrono::milliseconds deadline_in, std::vector<std::string> tasks_in,
       const zmtp::CurvePointer& curve)
      : nodes(std::move(nodes_in)),
        deadline(deadline_in),
        tasks(std::move(tasks_in)),
        id(fmt::format("TQ_STATUS_{:08x}", std::random_device{}())),
        pool("TQ_STORAGE_" + id + "_", curve),
        controller(nodes.controller, pool, id) {}

  Deadline until() const { return std::chrono::steady_clock::now() + deadline; }
  void look_at_controller(ClusterView& view);
  void look_at_units(ClusterView& view);
  void ask_python(ClusterView& view);

  const Nodes nodes;
  const std::chrono::milliseconds deadline;
  const std::vector<std::string> tasks;
  const std::string id;
  manager::ConnectionPool pool;
  client::ControllerClient controller;
  std::string python_version;
};

ClusterWatch::ClusterWatch(Nodes nodes, std::chrono::milliseconds deadline,
                           std::vector<std::string> tasks, const zmtp::CurvePointer& curve)
    : impl_(std::make_unique<Impl>(std::move(nodes), deadline, std::move(tasks), curve)) {}
ClusterWatch::~ClusterWatch() = default;

ClusterView ClusterWatch::look() {
  ClusterView view;
  view.at = std::chrono::steady_clock::now();
  impl_->look_at_units(view);
  impl_->look_at_controller(view);
  return view;
}

void ClusterWatch::Impl::look_at_units(ClusterView& view) {
  auto answers = manager::ask_metrics(pool, id, nodes.storage_units, until());
  for (size_t i = 0; i < answers.size(); ++i) {
    ClusterView::Node& unit = view.units.emplace_back();
    unit.info = nodes.storage_units[i];
    if (answers[i].ok()) {
      unit.version = version_of(*answers[i]);
      unit.metrics = std::move(*answers[i]);
    } else if (answers[i].error().code() == ErrorCode::kUnsupported) {
      unit.version = "Python";  // before 0.1.8: it answers, but tells nothing
    } else {
      unit.problem = answers[i].error().what();
    }
  }
}

void ClusterWatch::Impl::look_at_controller(ClusterView& view) {
  view.controller.info = nodes.controller;
  try {
    controller.handshake(until());
    if (!controller.is_ours()) return ask_python(view);
    auto answers = manager::ask_metrics(pool, id, {nodes.controller}, until());
    view.controller.version = version_of(*answers[0]);
    view.controller.metrics = std::move(*answers[0]);
    read_partitions(*view.controller.metrics, view);
  } catch (const Error& error) {
    view.controller.problem = error.what();
  }
}

void ClusterWatch::Impl::ask_python(ClusterView& view) {
  if (python_version.empty()) python_version = controller.ask_python_version(until());
  view.controller.version = fmt::format("Python {}", python_version);
  const auto list =
      controller.ask<wire::ListPartitionsResponse>(wire::GetListPartitions{}, until());
  for (const std::string& partition_id : list.partition_ids) {
    if (view.partitions.size() >= kPartitionsMax) {
      ++view.partitions_left_out;
      continue;
    }
    const auto meta = controller.ask<wire::GetPartitionMetaResponse>(
        wire::GetPartitionMeta{partition_id}, until());
    ClusterView::Partition& partition = view.partitions[partition_id];
    if (!meta.metadata) continue;
    partition.samples = static_cast<double>(meta.metadata->global_indexes.size());
    for (const std::string& field : meta.metadata->field_names()) {
      partition.fields[field].ready = ones(
          controller
              .ask<wire::ProductionResponse>(wire::GetProduction{partition_id, {{field}}}, until())
              .production_status);
    }
    for (const std::string& task : tasks) {
      partition.tasks[task] =
          ones(controller
                   .ask<wire::ConsumptionResponse>(
                       wire::GetConsumption{partition_id, task, std::nullopt}, until())
                   .consumption_status);
    }
  }
}

}  // namespace tq::cli
