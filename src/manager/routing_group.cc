// SPDX-License-Identifier: Apache-2.0
#include "manager/routing_group.h"

namespace tq::manager {

std::vector<RoutingGroup> route(std::span<const int64_t> global_indexes, size_t units) {
  std::vector<RoutingGroup> groups(units);
  for (RoutingGroup& group : groups) {
    group.global_indexes.reserve(global_indexes.size() / units + 1);
    group.batch_positions.reserve(global_indexes.size() / units + 1);
  }
  for (size_t position = 0; position < global_indexes.size(); ++position) {
    const size_t unit = static_cast<size_t>(global_indexes[position]) % units;
    groups[unit].unit = unit;
    groups[unit].global_indexes.push_back(global_indexes[position]);
    groups[unit].batch_positions.push_back(position);
  }
  std::erase_if(groups, [](const RoutingGroup& group) { return group.global_indexes.empty(); });
  return groups;
}

}  // namespace tq::manager
