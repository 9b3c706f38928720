// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "transfer_queue/error.h"
#include "transfer_queue/value.h"

namespace tq::runtime {

/// Upper bounds in seconds by which durations are counted, upstream's; one bucket more takes what
/// lasts longer.
inline constexpr std::array<double, 10> kDurationBounds{0.001, 0.005, 0.01, 0.025, 0.05,
                                                        0.1,   0.25,  0.5,  1.0,   5.0};

/// What one kind of request came to since the node started.
struct OperationCounters {
  uint64_t requests = 0;
  uint64_t errors = 0;
  uint64_t samples = 0;  // that its requests named
  uint64_t slow = 0;     // took as long as earns a line in the log
  uint64_t received_bytes = 0;
  uint64_t sent_bytes = 0;
  double seconds = 0;
  std::array<uint64_t, kDurationBounds.size() + 1> durations{};  // each request in one bucket

  void add_duration(double took_seconds) noexcept;
  /// As Prometheus' histogram_quantile has it: linear inside a bucket, the last bound beyond it.
  /// 0 without requests.
  double quantile(double q) const noexcept;
};

/// Why requests were refused, and replies not delivered: the label `reason`.
std::string_view refusal_reason(ErrorCode code) noexcept;
inline constexpr std::string_view kReasonPeerGone = "peer_gone";
inline constexpr std::string_view kReasonPeerFull = "peer_full";

/// The plain numbers of one node: its loop's thread alone writes and reads them, so they cost an
/// addition each. Names are literals, so that no peer makes the tables grow.
class RequestCounters {
 public:
  /// The counters of an operation; `name` must live as long as the program.
  OperationCounters& of(std::string_view name);
  void refuse(std::string_view reason);

  using Operations = std::vector<std::pair<std::string_view, OperationCounters>>;
  const Operations& operations() const noexcept { return operations_; }
  /// Everything as a value for the wire (docs/protocol.md, x_tq.metrics).
  Map to_map() const;

 private:
  template <class Counts>
  static auto& entry(Counts& counts, std::string_view name);

  Operations operations_;
  std::vector<std::pair<std::string_view, uint64_t>> refusals_;
};

}  // namespace tq::runtime
