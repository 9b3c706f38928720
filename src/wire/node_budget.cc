// SPDX-License-Identifier: Apache-2.0
#include "wire/node_budget.h"

#include <fmt/format.h>

#include <algorithm>

#include "transfer_queue/error.h"

namespace tq::wire {

NodeBudget::NodeBudget(size_t size_bytes, const Limits& limits) noexcept {
  const size_t growth = limits.nodes_free + limits.nodes_per_byte_max * size_bytes;
  max_ = left_ = std::min(limits.nodes_max, growth);
  text_max_ = text_left_ =
      std::max(size_bytes, std::min(limits.shared_text_bytes_max, kTextBytesANode * growth));
}

void NodeBudget::take(size_t nodes) {
  if (nodes > left_) {
    throw Error(ErrorCode::kDecode, fmt::format("more than {} values in one message", max_));
  }
  left_ -= nodes;
}

void NodeBudget::take_text(size_t size_bytes) {
  if (size_bytes > text_left_) {
    throw Error(ErrorCode::kDecode,
                fmt::format("more than {} bytes of text in one message", text_max_));
  }
  text_left_ -= size_bytes;
}

}  // namespace tq::wire
