// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "wire/limits.h"

namespace tq::wire {

/// How many values one message may become. Everything that is read for the message draws on the
/// same budget, each pickle inside it too, so that many small bombs cost no more than a large one.
class NodeBudget {
 public:
  /// For a message of `size_bytes`: limits.nodes_max, or less for a small one.
  NodeBudget(size_t size_bytes, const Limits& limits) noexcept;

  /// Throws Error(kDecode) when there are fewer left.
  void take(size_t nodes);
  /// One value that is a text: long ones count for more, since each reference copies them.
  void take_text(size_t size_bytes) { take(size_bytes / kTextBytesANode); }

 private:
  // nodes_max of these are the header limit in bytes, so one text as long as a header passes.
  static constexpr size_t kTextBytesANode = 32;

  size_t max_;
  size_t left_;
};

}  // namespace tq::wire
