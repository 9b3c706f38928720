// SPDX-License-Identifier: Apache-2.0
#include "controller/index_allocator.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "controller/saved.h"
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

// Times of rest go on from where they were.
wire::Value IndexAllocator::to_value(runtime::TimePoint now) const {
  wire::Array resting;
  for (const Resting& rests : resting_) {
    const std::chrono::duration<double> left = rests.until - now;
    resting.emplace_back(
        wire::Map{{"seconds", left.count()}, {"indexes", saved::index_set(rests.indexes)}});
  }
  return wire::Map{
      {"next", next_}, {"free", saved::index_set(free_)}, {"resting", std::move(resting)}};
}

void IndexAllocator::restore(wire::Value& map, const wire::Limits& limits, runtime::TimePoint now) {
  next_ = saved::take<int64_t>(map, "next", limits);
  if (next_ < 0 || next_ > index_max_ + 1) saved::fail(fmt::format("next is {}", next_));
  free_ = saved::take_index_set(map, "free", limits);
  resting_.clear();
  wire::Value& resting = saved::at(map, "resting");
  for (wire::Value& rests : wire::items_of(resting, {nullptr, "resting", {}}, limits)) {
    const double* seconds = saved::at(rests, "seconds").get_if<double>();
    constexpr double kLongest = 1e9;
    if (seconds == nullptr || !(*seconds <= kLongest)) saved::fail("a rest has no end");
    const std::chrono::duration<double> left(std::max(*seconds, 0.0));
    const auto until = now + std::chrono::duration_cast<runtime::TimePoint::duration>(left);
    if (!resting_.empty() && until < resting_.back().until) saved::fail("rests are out of order");
    resting_.push_back({until, saved::take_index_set(rests, "indexes", limits)});
  }
}

}  // namespace tq::controller
