// SPDX-License-Identifier: Apache-2.0
#include "metrics/family_builder.h"

#include <limits>

namespace tq::metrics {

prometheus::ClientMetric& FamilyBuilder::add(std::string_view name, std::string_view help,
                                             prometheus::MetricType type, const Labels& labels) {
  const auto [position, is_new] = positions_.try_emplace(std::string(name), families_.size());
  if (is_new) families_.push_back({std::string(name), std::string(help), type, {}});
  prometheus::ClientMetric& metric = families_[position->second].metric.emplace_back();
  for (const auto& [label, value] : labels) metric.label.push_back({label, value});
  return metric;
}

void FamilyBuilder::gauge(std::string_view name, std::string_view help, double value,
                          const Labels& labels) {
  add(name, help, prometheus::MetricType::Gauge, labels).gauge.value = value;
}

void FamilyBuilder::counter(std::string_view name, std::string_view help, double value,
                            const Labels& labels) {
  add(name, help, prometheus::MetricType::Counter, labels).counter.value = value;
}

void FamilyBuilder::histogram(std::string_view name, std::string_view help,
                              const runtime::OperationCounters& operation, const Labels& labels) {
  auto& histogram = add(name, help, prometheus::MetricType::Histogram, labels).histogram;
  uint64_t count = 0;
  for (size_t i = 0; i < operation.durations.size(); ++i) {
    count += operation.durations[i];
    const double bound = i < runtime::kDurationBounds.size()
                             ? runtime::kDurationBounds[i]
                             : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back({count, bound});
  }
  histogram.sample_count = count;
  histogram.sample_sum = operation.seconds;
}

}  // namespace tq::metrics
