// SPDX-License-Identifier: Apache-2.0
#include "runtime/actor.h"

namespace tq::runtime {

Map Actor::metrics_map(const std::vector<Gauge>& gauges) const {
  Map map = counters_.to_map();
  const LoopState loop = loop_state_ ? loop_state_() : LoopState{};
  map.emplace_back("version", TQ_VERSION);
  map.emplace_back("process_rss_bytes", process_rss_bytes());
  map.emplace_back("uptime_s", loop.uptime_s);
  map.emplace_back("loop", Map{{"waiting_requests", static_cast<uint64_t>(loop.waiting_requests)},
                               {"connections", static_cast<uint64_t>(loop.connections)},
                               {"unsent_bytes", static_cast<uint64_t>(loop.unsent_bytes)}});
  Array list;
  list.reserve(gauges.size());
  for (const Gauge& gauge : gauges) {
    Map labels;
    for (const auto& [name, value] : gauge.labels) labels.emplace_back(name, value);
    list.emplace_back(Array{gauge.name, std::move(labels), gauge.value});
  }
  map.emplace_back("gauges", std::move(list));
  return map;
}

}  // namespace tq::runtime
