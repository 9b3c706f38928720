// SPDX-License-Identifier: Apache-2.0
#include "cli/status_text.h"

#include <fmt/format.h>

#include "cli/info_files.h"
#include "cli/table.h"

namespace tq::cli {
namespace {

using Node = ClusterView::Node;
using Partition = ClusterView::Partition;

// What a node did since it started.
struct Work {
  double requests = 0;
  double errors = 0;
  double received_bytes = 0;
  double sent_bytes = 0;
};

Work work_of(const Node& node) {
  Work work;
  if (!node.metrics) return work;
  for (const auto& [name, op] : node.metrics->operations) {
    work.requests += static_cast<double>(op.requests);
    work.errors += static_cast<double>(op.errors);
    work.received_bytes += static_cast<double>(op.received_bytes);
    work.sent_bytes += static_cast<double>(op.sent_bytes);
  }
  if (!node.metrics->is_ours) {
    work.requests = static_cast<double>(node.metrics->upstream.requests_arrived);
  }
  return work;
}

// A second since the earlier view; nothing without one, or when the node was started since.
std::optional<Work> rates_of(const Node& node, const Node* before, double seconds) {
  if (before == nullptr || !before->metrics || !node.metrics || seconds <= 0) return std::nullopt;
  if (before->info.id != node.info.id) return std::nullopt;
  const Work now = work_of(node);
  const Work then = work_of(*before);
  if (now.requests < then.requests) return std::nullopt;
  return Work{(now.requests - then.requests) / seconds, (now.errors - then.errors) / seconds,
              (now.received_bytes - then.received_bytes) / seconds,
              (now.sent_bytes - then.sent_bytes) / seconds};
}

struct Pair {
  const Node* node;
  const Node* before;
};

std::vector<Pair> all_nodes(const ClusterView& view, const ClusterView* before) {
  std::vector<Pair> nodes = {{&view.controller, before ? &before->controller : nullptr}};
  for (size_t i = 0; i < view.units.size(); ++i) {
    nodes.push_back(
        {&view.units[i], before && i < before->units.size() ? &before->units[i] : nullptr});
  }
  return nodes;
}

double seconds_between(const ClusterView& view, const ClusterView* before) {
  return before ? std::chrono::duration<double>(view.at - before->at).count() : 0;
}

bool is_controller(const Node& node) { return node.info.role == ServerInfo::kControllerRole; }

std::string rows_of(const Node& node) {
  if (is_controller(node) || !node.metrics) return "-";
  const auto& told = node.metrics->upstream;
  if (!told.capacity) return fmt::format("{}", told.active_keys);
  return fmt::format("{} of {}", told.active_keys, *told.capacity);
}

std::string stored_of(const Node& node) {
  if (is_controller(node) || !node.metrics || !node.metrics->is_ours) return "-";
  const std::string stored = bytes_text(node.metrics->gauge("tq_storage_stored_bytes"));
  const double capacity = node.metrics->gauge("tq_storage_capacity_bytes");
  return capacity > 0 ? fmt::format("{} of {}", stored, bytes_text(capacity)) : stored;
}

std::vector<std::string> node_row(const Pair& pair, double seconds) {
  const Node& node = *pair.node;
  std::vector<std::string> row = {node.info.id, endpoint_of(node.info),
                                  node.version.empty() ? "no answer" : node.version};
  const bool is_ours = node.metrics && node.metrics->is_ours;
  row.push_back(is_ours ? duration_text(node.metrics->uptime_s) : "-");
  row.push_back(node.metrics
                    ? bytes_text(static_cast<double>(node.metrics->upstream.process_rss_bytes))
                    : "-");
  row.push_back(is_ours ? fmt::format("{}", node.metrics->connections) : "-");
  row.push_back(is_ours ? fmt::format("{}", node.metrics->waiting_requests) : "-");
  row.push_back(rows_of(node));
  row.push_back(stored_of(node));
  const std::optional<Work> rates = rates_of(node, pair.before, seconds);
  const Work work = rates ? *rates : work_of(node);
  const char* per = rates ? "/s" : "";
  row.push_back(node.metrics ? fmt::format("{:.0f}{}", work.requests, per) : "-");
  row.push_back(is_ours ? fmt::format("{:.0f}{}", work.errors, per) : "-");
  row.push_back(is_ours ? bytes_text(work.received_bytes) + per : "-");
  row.push_back(is_ours ? bytes_text(work.sent_bytes) + per : "-");
  return row;
}

std::string nodes_table(const ClusterView& view, const ClusterView* before) {
  Table table({"node", "address", "version", "up>", "memory>", "peers>", "waiting>", "samples>",
               "stored>", "requests>", "errors>", "in>", "out>"});
  for (const Pair& pair : all_nodes(view, before)) {
    table.add(node_row(pair, seconds_between(view, before)));
  }
  std::string text = table.text();
  for (const Pair& pair : all_nodes(view, before)) {
    if (!pair.node->ok()) text += fmt::format("! {}\n", pair.node->problem);
  }
  return text;
}

std::string partitions_text(const ClusterView& view) {
  if (view.partitions.empty()) return view.controller.ok() ? "\nno partitions\n" : "";
  Table fields({"partition", "samples>", "field", "ready>", "", "bytes>"});
  Table tasks({"partition", "task", "consumed>", ""});
  for (const auto& [id, partition] : view.partitions) {
    std::string name = id;
    std::string samples = fmt::format("{:.0f}", partition.samples);
    for (const auto& [field, state] : partition.fields) {
      fields.add({name, samples, field, fmt::format("{:.0f}", state.ready),
                  percent_text(state.ready, partition.samples),
                  state.bytes ? bytes_text(*state.bytes) : "-"});
      name = samples = "";  // once is enough
    }
    if (partition.fields.empty()) fields.add({id, samples, "-", "-", "-", "-"});
    for (const auto& [task, consumed] : partition.tasks) {
      tasks.add(
          {id, task, fmt::format("{:.0f}", consumed), percent_text(consumed, partition.samples)});
    }
  }
  std::string text = "\n" + fields.text();
  if (!tasks.empty()) text += "\n" + tasks.text();
  if (view.partitions_left_out > 0) {
    text += fmt::format("and {} partitions more\n", view.partitions_left_out);
  }
  return text;
}

Json node_json(const Pair& pair, double seconds) {
  const Node& node = *pair.node;
  Json json = {{"id", node.info.id},
               {"role", node.info.role},
               {"address", endpoint_of(node.info)},
               {"answers", node.ok()},
               {"version", node.version}};
  if (!node.ok()) json["problem"] = node.problem;
  if (!node.metrics) return json;
  const manager::NodeMetrics& metrics = *node.metrics;
  json["memory_rss_bytes"] = metrics.upstream.process_rss_bytes;
  const Work work = work_of(node);
  json["requests"] = work.requests;
  if (!is_controller(node)) {
    json["samples"] = metrics.upstream.active_keys;
    json["capacity_samples"] =
        metrics.upstream.capacity ? Json(*metrics.upstream.capacity) : Json(nullptr);
  }
  if (const auto rates = rates_of(node, pair.before, seconds)) {
    json["rates"] = {{"requests_per_s", rates->requests},
                     {"errors_per_s", rates->errors},
                     {"received_bytes_per_s", rates->received_bytes},
                     {"sent_bytes_per_s", rates->sent_bytes}};
  }
  if (!metrics.is_ours) return json;
  json["uptime_s"] = metrics.uptime_s;
  json["connections"] = metrics.connections;
  json["waiting_requests"] = metrics.waiting_requests;
  json["unsent_bytes"] = metrics.unsent_bytes;
  json["errors"] = work.errors;
  json["received_bytes"] = work.received_bytes;
  json["sent_bytes"] = work.sent_bytes;
  if (!is_controller(node)) json["stored_bytes"] = metrics.gauge("tq_storage_stored_bytes");
  return json;
}

Json partition_json(const Partition& partition) {
  Json fields = Json::object();
  for (const auto& [name, field] : partition.fields) {
    fields[name] = {{"ready", field.ready}};
    if (field.bytes) fields[name]["bytes"] = *field.bytes;
  }
  Json tasks = Json::object();
  for (const auto& [name, consumed] : partition.tasks) tasks[name] = {{"consumed", consumed}};
  return {{"samples", partition.samples}, {"fields", fields}, {"tasks", tasks}};
}

}  // namespace

std::string status_text(const ClusterView& view, const ClusterView* before) {
  return nodes_table(view, before) + partitions_text(view);
}

Json status_json(const ClusterView& view, const ClusterView* before) {
  Json json = {{"nodes", Json::array()}, {"partitions", Json::object()}};
  for (const Pair& pair : all_nodes(view, before)) {
    json["nodes"].push_back(node_json(pair, seconds_between(view, before)));
  }
  for (const auto& [id, partition] : view.partitions) {
    json["partitions"][id] = partition_json(partition);
  }
  json["partitions_left_out"] = view.partitions_left_out;
  return json;
}

}  // namespace tq::cli
