// SPDX-License-Identifier: Apache-2.0
#include "metrics/families.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "metrics/family_builder.h"

namespace tq::metrics {
namespace {

using manager::NodeGauge;
using manager::NodeMetrics;
using runtime::OperationCounters;
using Labels = FamilyBuilder::Labels;

struct Known {
  std::string_view name;
  std::string_view help;
};

// The gauges that nodes may tell. Another name is another version's, or a stranger's: left out.
constexpr Known kControllerGauges[] = {
    {"tq_partitions_total", "Partitions that the controller holds"},
    {"tq_partition_samples_total", "Samples of the partition that a client registered"},
    {"tq_partition_production_progress",
     "Share of the partition's samples of which some field is produced, 0 to 1"},
    {"tq_partition_consumption_progress",
     "Share of the partition's samples that the task has consumed, 0 to 1"},
    {"tq_global_index_allocated_total", "Global indexes that samples have"},
    {"tq_global_index_reusable_total", "Global indexes that were freed"},
    {"tq_partition_consumed_samples", "Samples of the partition that the task has consumed"},
    {"tq_partition_field_produced_samples", "Samples of which the field is produced"},
    {"tq_partition_field_bytes", "Payload of the field's tensors, by their dtypes and shapes"},
    {"tq_partitions_left_out", "Partitions too many to be told of"},
};
constexpr Known kStorageGauges[] = {
    {"tq_storage_stored_bytes", "Payload of the rows that the unit stores"},
    {"tq_storage_held_bytes", "Memory that the unit's rows keep"},
    {"tq_storage_capacity_bytes", "Payload that the unit takes at most"},
    {"tq_storage_field_rows", "Rows of the field"},
    {"tq_storage_field_held_bytes", "Memory that the field's rows keep"},
};

template <size_t N>
const Known* find(const Known (&known)[N], std::string_view name) {
  const auto* found =
      std::find_if(known, known + N, [&](const Known& k) { return k.name == name; });
  return found != known + N ? found : nullptr;
}

template <size_t N>
void add_gauges(FamilyBuilder& builder, const Known (&known)[N], const NodeMetrics& node,
                const std::optional<std::string>& unit) {
  for (const NodeGauge& gauge : node.gauges) {
    const Known* entry = find(known, gauge.name);
    if (entry == nullptr) continue;
    Labels labels;
    if (unit) labels.emplace_back("storage_unit_id", *unit);
    labels.insert(labels.end(), gauge.labels.begin(), gauge.labels.end());
    builder.gauge(entry->name, entry->help, gauge.value, labels);
  }
}

void add(OperationCounters& sum, const OperationCounters& more) {
  sum.requests += more.requests;
  sum.errors += more.errors;
  sum.samples += more.samples;
  sum.slow += more.slow;
  sum.received_bytes += more.received_bytes;
  sum.sent_bytes += more.sent_bytes;
  sum.seconds += more.seconds;
  for (size_t i = 0; i < sum.durations.size(); ++i) sum.durations[i] += more.durations[i];
}

// What the loops of one role did, under that role's name.
class RoleFamilies {
 public:
  RoleFamilies(FamilyBuilder& builder, std::string role)
      : builder_(builder), role_(std::move(role)) {}

  void add_all(const std::vector<NodeMetrics>& nodes) {
    std::map<std::string, OperationCounters> operations;
    std::map<std::string, double> refusals;
    double waiting = 0;
    double connections = 0;
    double unsent = 0;
    for (const NodeMetrics& node : nodes) {
      for (const auto& [name, op] : node.operations) add(operations[name], op);
      for (const auto& [reason, count] : node.refusals) {
        refusals[reason] += static_cast<double>(count);
      }
      waiting += static_cast<double>(node.waiting_requests);
      connections += static_cast<double>(node.connections);
      unsent += static_cast<double>(node.unsent_bytes);
    }
    for (const auto& [name, op] : operations) add_operation({{"op_type", name}}, op);
    for (const auto& [reason, count] : refusals) {
      builder_.counter(name("refusals_total"),
                       "Requests that were refused and replies that were not delivered", count,
                       {{"reason", reason}});
    }
    builder_.gauge(name("waiting_requests"), "Requests that wait for data", waiting);
    builder_.gauge(name("connections"), "Connections that are open", connections);
    builder_.gauge(name("unsent_bytes"), "Bytes of replies that peers have not taken yet", unsent);
  }

 private:
  std::string name(std::string_view rest) const { return fmt::format("tq_{}_{}", role_, rest); }

  void add_operation(const Labels& labels, const OperationCounters& op) {
    const auto count = [&](std::string_view rest, std::string_view help, uint64_t value) {
      builder_.counter(name(rest), help, static_cast<double>(value), labels);
    };
    builder_.histogram(name("request_duration_seconds"),
                       "From the arrival of a request to its reply, waiting included", op, labels);
    count("request_total", "Requests that were answered", op.requests);
    count("request_errors_total", "Requests that were answered with an error", op.errors);
    count("request_samples_total", "Samples that requests were about", op.samples);
    count("slow_requests_total", "Requests that took as long as --warn-seconds says", op.slow);
    count("received_bytes_total", "Bytes of requests", op.received_bytes);
    count("sent_bytes_total", "Bytes of replies", op.sent_bytes);
  }

  FamilyBuilder& builder_;
  const std::string role_;
};

double number(const Value* value) {
  if (value == nullptr) return 0;
  if (const auto* v = value->get_if<double>()) return *v;
  if (const auto* v = value->get_if<int64_t>()) return static_cast<double>(*v);
  return 0;
}

void add_op_stats(FamilyBuilder& builder, const Value& stats, const std::string& unit) {
  const auto* operations = stats.get_if<Map>();
  if (operations == nullptr) return;
  for (const auto& [name, numbers] : *operations) {
    const auto* text = name.get_if<std::string>();
    if (text == nullptr) continue;
    const Labels labels = {{"storage_unit_id", unit}, {"op_type", *text}};
    builder.gauge("tq_storage_request_ops", "Requests that the unit answered",
                  number(numbers.find("request_count")), labels);
    builder.gauge("tq_storage_request_latency_avg", "Mean duration of a request in seconds",
                  number(numbers.find("latency_avg")), labels);
    builder.gauge("tq_storage_request_latency_p50", "Median duration of a request in seconds",
                  number(numbers.find("latency_p50")), labels);
    builder.gauge("tq_storage_request_latency_p99", "99th percentile of a request's duration",
                  number(numbers.find("latency_p99")), labels);
  }
}

void add_arrivals(FamilyBuilder& builder, const Value& arrivals, const std::string& unit) {
  const auto* operations = arrivals.get_if<Map>();
  if (operations == nullptr) return;
  for (const auto& [name, count] : *operations) {
    if (const auto* text = name.get_if<std::string>()) {
      builder.gauge("tq_storage_arrivals_by_op", "Requests that came to the unit, by operation",
                    number(&count), {{"storage_unit_id", unit}, {"op_type", *text}});
    }
  }
}

// What upstream's controller tells of a unit.
void add_unit(FamilyBuilder& builder, const NodeMetrics& unit) {
  const wire::MetricsResponse& told = unit.upstream;
  const std::string& id = told.storage_unit_id;
  const auto gauge = [&](std::string_view name, std::string_view help, int64_t value) {
    builder.gauge(name, help, static_cast<double>(value), {{"storage_unit_id", id}});
  };
  if (told.capacity) {
    gauge("tq_storage_capacity_total", "Samples that the unit takes at most", *told.capacity);
    const double used = *told.capacity > 0 ? static_cast<double>(told.active_keys) /
                                                 static_cast<double>(*told.capacity)
                                           : 0;
    builder.gauge("tq_storage_utilization_ratio", "Samples of the unit by its capacity", used,
                  {{"storage_unit_id", id}});
  }
  gauge("tq_storage_active_keys_total", "Samples that the unit stores", told.active_keys);
  gauge("tq_storage_memory_rss_bytes", "Resident memory of the unit's process",
        told.process_rss_bytes);
  gauge("tq_storage_ssd_offload_enabled", "Whether the unit keeps large values on an SSD",
        told.ssd_offload_enabled);
  gauge("tq_storage_ssd_active_values", "Values that lie on the SSD", told.ssd_active_values);
  gauge("tq_storage_ssd_active_bytes", "Bytes of values that lie on the SSD",
        told.ssd_active_bytes);
  gauge("tq_storage_ssd_fallback_values_total",
        "Values kept in memory because they could not be written", told.ssd_fallback_values_total);
  gauge("tq_storage_requests_arrived", "Requests that came to the unit", told.requests_arrived);
  add_arrivals(builder, told.arrivals_by_op, id);
  if (told.op_stats) add_op_stats(builder, *told.op_stats, id);
  if (unit.is_ours) {
    gauge("tq_storage_unit_unsent_bytes", "Bytes of the unit's replies that peers have not taken",
          unit.unsent_bytes);
    add_gauges(builder, kStorageGauges, unit, id);
  }
}

void add_controller_process(FamilyBuilder& builder, const NodeMetrics& controller) {
  builder.gauge("tq_controller_uptime_seconds", "How long the controller runs",
                controller.uptime_s);
  builder.gauge("tq_controller_memory_rss_bytes", "Resident memory of the controller's process",
                static_cast<double>(controller.upstream.process_rss_bytes));
}

}  // namespace

std::vector<prometheus::MetricFamily> families(const Scrape& scrape) {
  FamilyBuilder builder;
  builder.gauge("tq_build_info", "1; the label has the version of tq", 1,
                {{"version", TQ_VERSION}});
  if (!scrape.controllers.empty()) {
    RoleFamilies(builder, "controller").add_all(scrape.controllers);
    add_controller_process(builder, scrape.controllers.front());
    for (const NodeMetrics& node : scrape.controllers) {
      add_gauges(builder, kControllerGauges, node, std::nullopt);
    }
  }
  if (!scrape.own_units.empty()) {
    RoleFamilies(builder, "storage").add_all(scrape.own_units);
    builder.gauge("tq_storage_uptime_seconds", "How long the unit runs",
                  scrape.own_units.front().uptime_s);
  }
  for (const NodeMetrics& unit : scrape.units) {
    builder.gauge("tq_storage_up", "Whether the unit answered this scrape", 1,
                  {{"storage_unit_id", unit.upstream.storage_unit_id}});
    add_unit(builder, unit);
  }
  for (const std::string& id : scrape.silent_units) {
    builder.gauge("tq_storage_up", "Whether the unit answered this scrape", 0,
                  {{"storage_unit_id", id}});
  }
  return builder.take();
}

}  // namespace tq::metrics
