// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <vector>

#include "workloads.h"

/// How workloads time and name things.
namespace tq::bench {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

inline double percentile(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(part * static_cast<double>(values.size() - 1))];
}

inline double rounded(double value) { return std::round(value * 1000) / 1000; }

inline void add_percentiles(Json& result, const std::string& name,
                            const std::vector<double>& times_us) {
  result[name + "_p50_us"] = rounded(percentile(times_us, 0.5));
  result[name + "_p99_us"] = rounded(percentile(times_us, 0.99));
}

inline std::vector<std::string> numbered(const std::string& prefix, size_t count) {
  std::vector<std::string> names;
  names.reserve(count);
  for (size_t i = 0; i < count; ++i) names.push_back(fmt::format("{}{}", prefix, i));
  return names;
}

}  // namespace tq::bench
