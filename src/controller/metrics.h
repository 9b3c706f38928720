// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "controller/state.h"
#include "runtime/actor.h"

namespace tq::controller {

/// What a controller tells of itself: partitions, their fields and tasks, global indexes. Costs
/// what the partitions' bitmaps hold, not what their samples do. Partitions and series past a bound
/// are left out and counted: each series is kept by Prometheus for ever.
std::vector<runtime::Gauge> gauges(const State& state);

}  // namespace tq::controller
