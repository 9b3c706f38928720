// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "manager/exchange.h"
#include "runtime/request_counters.h"
#include "wire/messages.h"

namespace tq::manager {

/// One number of a node with its labels, under its name in docs/metrics.md.
struct NodeGauge {
  std::string name;
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;
};

/// What a node answered to GET_METRICS.
struct NodeMetrics {
  wire::MetricsResponse upstream;  // Python's units tell this and no more
  std::string sender_id;           // what it calls itself
  bool is_ours = false;            // whether what follows was told
  std::string version;
  double uptime_s = 0;
  int64_t waiting_requests = 0;
  int64_t connections = 0;
  int64_t unsent_bytes = 0;
  std::vector<std::pair<std::string, runtime::OperationCounters>> operations;
  std::vector<std::pair<std::string, int64_t>> refusals;
  std::vector<NodeGauge> gauges;

  /// The value of a gauge without labels; `otherwise` where the node does not tell it.
  double gauge(std::string_view name, double otherwise = 0) const;
};

/// Asks every node at once. Blocks until the deadline at most; thread-safe. A unit that does not
/// answer has an error that names it. A controller must be one of ours: Python's end their request
/// thread, or answer nonsense, at a request that they do not know. What does not fit in an answer
/// is left out, for the node may be of another version.
std::vector<Result<NodeMetrics>> ask_metrics(ConnectionPool& pool, const std::string& sender_id,
                                             const std::vector<ServerInfo>& nodes,
                                             Deadline deadline);

}  // namespace tq::manager
