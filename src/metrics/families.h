// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "manager/node_metrics.h"

namespace tq::metrics {

/// What one scrape knows.
struct Scrape {
  /// The nodes of this process. Those of one role are told together: an endpoint is a process'.
  std::vector<manager::NodeMetrics> controllers;
  std::vector<manager::NodeMetrics> own_units;
  /// What a controller's endpoint tells of all storage units, as upstream's does.
  std::vector<manager::NodeMetrics> units;
  /// Units that did not answer, by the name of their address.
  std::vector<std::string> silent_units;
};

/// Under upstream's names, labels and buckets, and ours beside them: docs/metrics.md is the list.
std::vector<prometheus::MetricFamily> families(const Scrape& scrape);

}  // namespace tq::metrics
