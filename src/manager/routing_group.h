// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tq::manager {

/// The samples of a batch that one storage unit holds: upstream's RoutingGroup.
struct RoutingGroup {
  size_t unit;                          // position in the configuration's list of units
  std::vector<int64_t> global_indexes;  // routed to it
  std::vector<size_t> batch_positions;  // where they stand in the batch, ascending
};

/// Scatters by `global_index % units`, which all clients of all languages must agree on. Groups
/// without samples are left out; the rest is in the order of the units. Requires units > 0.
std::vector<RoutingGroup> route(std::span<const int64_t> global_indexes, size_t units);

}  // namespace tq::manager
