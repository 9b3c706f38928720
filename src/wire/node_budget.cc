// SPDX-License-Identifier: Apache-2.0
#include "wire/node_budget.h"

#include <fmt/format.h>

#include <algorithm>

#include "transfer_queue/error.h"

namespace tq::wire {

NodeBudget::NodeBudget(size_t size_bytes, const Limits& limits) noexcept
    : max_(std::min(limits.nodes_max, limits.nodes_free + limits.nodes_per_byte_max * size_bytes)),
      left_(max_) {}

void NodeBudget::take(size_t nodes) {
  if (nodes > left_) {
    throw Error(ErrorCode::kDecode, fmt::format("more than {} values in one message", max_));
  }
  left_ -= nodes;
}

}  // namespace tq::wire
