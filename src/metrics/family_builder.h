// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/request_counters.h"

namespace tq::metrics {

/// Collects series by family, in the order in which families were first named.
class FamilyBuilder {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;

  void gauge(std::string_view name, std::string_view help, double value, const Labels& labels = {});
  void counter(std::string_view name, std::string_view help, double value,
               const Labels& labels = {});
  /// Durations in upstream's buckets.
  void histogram(std::string_view name, std::string_view help,
                 const runtime::OperationCounters& operation, const Labels& labels);
  std::vector<prometheus::MetricFamily> take() { return std::move(families_); }

 private:
  prometheus::ClientMetric& add(std::string_view name, std::string_view help,
                                prometheus::MetricType type, const Labels& labels);

  std::vector<prometheus::MetricFamily> families_;
  std::unordered_map<std::string, size_t> positions_;
};

}  // namespace tq::metrics
