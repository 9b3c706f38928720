// SPDX-License-Identifier: Apache-2.0
#include "runtime/request_counters.h"

#include <algorithm>

namespace tq::runtime {

void OperationCounters::add_duration(double took_seconds) noexcept {
  seconds += took_seconds;
  const auto bound = std::lower_bound(kDurationBounds.begin(), kDurationBounds.end(), took_seconds);
  ++durations[static_cast<size_t>(bound - kDurationBounds.begin())];
}

double OperationCounters::quantile(double q) const noexcept {
  uint64_t total = 0;
  for (uint64_t count : durations) total += count;
  const double rank = q * static_cast<double>(total);
  double before = 0;
  for (size_t i = 0; i < kDurationBounds.size(); ++i) {
    const auto count = static_cast<double>(durations[i]);
    if (count > 0 && before + count >= rank) {
      const double low = i == 0 ? 0 : kDurationBounds[i - 1];
      return low + (kDurationBounds[i] - low) * (rank - before) / count;
    }
    before += count;
  }
  return total == 0 ? 0 : kDurationBounds.back();
}

std::string_view refusal_reason(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kDecode:
      return "undecodable";
    case ErrorCode::kInvalidArgument:
      return "invalid_argument";
    case ErrorCode::kMissingKey:
      return "missing_key";
    case ErrorCode::kWrongType:
      return "wrong_type";
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kCapacity:
      return "capacity";
    case ErrorCode::kLimit:
      return "limit";
    case ErrorCode::kTimeout:
      return "timeout";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kInternal:
      break;
  }
  return "internal";
}

template <class Counts>
auto& RequestCounters::entry(Counts& counts, std::string_view name) {
  for (auto& [known, count] : counts) {
    if (known == name) return count;
  }
  return counts.emplace_back(name, typename Counts::value_type::second_type{}).second;
}

void RequestCounters::refuse(std::string_view reason) { ++entry(refusals_, reason); }

OperationCounters& RequestCounters::of(std::string_view name) { return entry(operations_, name); }

Map RequestCounters::to_map() const {
  Map operations;
  for (const auto& [name, op] : operations_) {
    Array durations;
    for (uint64_t count : op.durations) durations.emplace_back(count);
    operations.emplace_back(name, Map{{"requests", op.requests},
                                      {"errors", op.errors},
                                      {"samples", op.samples},
                                      {"slow", op.slow},
                                      {"received_bytes", op.received_bytes},
                                      {"sent_bytes", op.sent_bytes},
                                      {"seconds", op.seconds},
                                      {"durations", std::move(durations)}});
  }
  Map refusals;
  for (const auto& [reason, count] : refusals_) refusals.emplace_back(reason, count);
  return {{"operations", std::move(operations)}, {"refusals", std::move(refusals)}};
}

}  // namespace tq::runtime
