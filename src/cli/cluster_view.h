// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "manager/node_metrics.h"
#include "transfer_queue/client.h"

namespace tq::cli {

/// What running nodes tell of themselves at one moment, C++ and Python nodes alike; Python's tell
/// less.
struct ClusterView {
  struct Node {
    ServerInfo info;
    /// Nothing where the node did not answer, or a Python controller, which has none to tell.
    std::optional<manager::NodeMetrics> metrics;
    std::string problem;  // why it did not answer; empty when it did
    std::string version;  // "C++ 0.1.0", "Python 0.1.11", "Python"
    bool ok() const noexcept { return problem.empty(); }
  };
  struct Field {
    double ready = 0;             // samples of which it is produced
    std::optional<double> bytes;  // of its tensors
  };
  struct Partition {
    double samples = 0;
    std::map<std::string, Field> fields;
    std::map<std::string, double> tasks;  // samples that the task has consumed
  };

  Node controller;
  std::vector<Node> units;
  std::map<std::string, Partition> partitions;
  size_t partitions_left_out = 0;
  std::chrono::steady_clock::time_point at;
};

/// Looks at nodes again and again over the same connections. Not thread-safe.
class ClusterWatch {
 public:
  /// `tasks`: of which a Python controller is asked, since it cannot list them; asking makes it
  /// remember the task. `curve`: the keys, where the nodes want some.
  ClusterWatch(Nodes nodes, std::chrono::milliseconds deadline, std::vector<std::string> tasks,
               const zmtp::CurvePointer& curve);
  ~ClusterWatch();

  /// Blocks until the deadline at most. Nodes that do not answer are told in the view, not thrown.
  ClusterView look();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tq::cli
