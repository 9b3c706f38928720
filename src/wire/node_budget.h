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
  /// The bytes of a value that is a text: each reference to it copies them. What came in as one
  /// copy each always passes.
  void take_text(size_t size_bytes);

 private:
  // A program that refers to one text often, as a column of equal strings does, stays below this.
  static constexpr size_t kTextBytesANode = 32;

  size_t max_;
  size_t left_;
  size_t text_max_;
  size_t text_left_;
};

}  // namespace tq::wire
