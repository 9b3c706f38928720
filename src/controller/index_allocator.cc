// SPDX-License-Identifier: Apache-2.0
#include "controller/index_allocator.h"

#include <fmt/format.h>

#include <utility>

#include "transfer_queue/error.h"

namespace tq::controller {

std::vector<int64_t> IndexAllocator::allocate(size_t count, runtime::TimePoint now) {
  ensure_available(count);
  while (!resting_.empty() && resting_.front().until <= now) {
    free_.add(resting_.front().indexes);
    resting_.pop_front();
  }
  std::vector<int64_t> indexes = free_.take_first(count);
  indexes.reserve(count);
  while (indexes.size() < count) indexes.push_back(next_++);
  return indexes;
}

void IndexAllocator::ensure_available(size_t count) const {
  const auto left = static_cast<size_t>(index_max_ - next_ + 1);
  if (count > left) {
    throw Error(ErrorCode::kLimit,
                fmt::format("{} global indexes are wanted, but only {} are left below the limit {}",
                            count, left, index_max_));
  }
}

size_t IndexAllocator::freed_count() const noexcept {
  size_t count = free_.size();
  for (const Resting& resting : resting_) count += resting.indexes.size();
  return count;
}

void IndexAllocator::release(IndexSet indexes, runtime::TimePoint now) {
  if (indexes.empty()) return;
  if (rest_.count() == 0) {
    free_.add(indexes);
    return;
  }
  const runtime::TimePoint until =
      now + std::chrono::duration_cast<runtime::TimePoint::duration>(rest_);
  resting_.push_back({until, std::move(indexes)});
}

}  // namespace tq::controller
