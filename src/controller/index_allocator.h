// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "controller/index_set.h"
#include "runtime/actor.h"
#include "wire/limits.h"
#include "wire/value.h"

namespace tq::controller {

/// Hands out global indexes, the smallest first, and takes them back.
///
/// A freed index rests before it is handed out again: clients 0.1.6 and 0.1.8 free an index here
/// before they clear its rows at the storage units, so its next owner's rows would be cleared.
class IndexAllocator {
 public:
  IndexAllocator(std::chrono::nanoseconds rest, int64_t index_max)
      : rest_(rest), index_max_(index_max) {}

  /// `count` indexes, ascending: freed ones that have rested, then new ones. Throws Error(kLimit),
  /// with nothing changed, when they would pass the largest index.
  std::vector<int64_t> allocate(size_t count, runtime::TimePoint now);
  /// Throws what allocate(count) might throw, so that a caller of several allocations can check
  /// before the first.
  void ensure_available(size_t count) const;
  /// Indexes that are handed out, and that were taken back and not handed out again.
  size_t allocated_count() const noexcept { return static_cast<size_t>(next_) - freed_count(); }
  size_t freed_count() const noexcept;
  /// Takes back indexes that were handed out and not taken back since.
  void release(IndexSet indexes, runtime::TimePoint now);

  /// For checkpoints: everything, and into a fresh one. restore() throws Error for what cannot be,
  /// and the allocator is of no use then.
  wire::Value to_value(runtime::TimePoint now) const;
  void restore(wire::Value& map, const wire::Limits& limits, runtime::TimePoint now);
  /// Calls visit(const IndexSet&) for what is free or rests.
  template <class Visit>
  void for_each_set(Visit&& visit) const {
    visit(free_);
    for (const Resting& resting : resting_) visit(resting.indexes);
  }
  /// Whether all of these were handed out once.
  bool has_given_out(const IndexSet& indexes) const noexcept {
    return indexes.empty() || indexes.last() < next_;
  }

 private:
  struct Resting {
    runtime::TimePoint until;
    IndexSet indexes;
  };

  std::chrono::nanoseconds rest_;
  int64_t index_max_;
  int64_t next_ = 0;
  IndexSet free_;
  std::deque<Resting> resting_;  // in order of `until`
};

}  // namespace tq::controller
