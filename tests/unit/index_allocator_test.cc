// SPDX-License-Identifier: Apache-2.0
#include "controller/index_allocator.h"

#include "support/catch.h"
#include "transfer_queue/error.h"

namespace tq::controller {
namespace {

using std::chrono::seconds;
using Indexes = std::vector<int64_t>;

constexpr int64_t kMany = int64_t{1} << 40;
const runtime::TimePoint kStart = runtime::TimePoint() + seconds(1000);

TEST_CASE("IndexAllocator: new indexes ascend from 0") {
  IndexAllocator allocator(seconds(0), kMany);
  CHECK(allocator.allocate(3, kStart) == Indexes{0, 1, 2});
  CHECK(allocator.allocate(0, kStart).empty());
  CHECK(allocator.allocate(2, kStart) == Indexes{3, 4});
}

TEST_CASE("IndexAllocator: freed indexes come back ascending, before new ones") {
  IndexAllocator allocator(seconds(0), kMany);
  allocator.allocate(6, kStart);
  allocator.release(IndexSet({5, 1}), kStart);
  allocator.release(IndexSet({3}), kStart);
  CHECK(allocator.allocate(2, kStart) == Indexes{1, 3});
  CHECK(allocator.allocate(3, kStart) == Indexes{5, 6, 7});
}

TEST_CASE("IndexAllocator: a freed index rests, for as long as set and no longer") {
  IndexAllocator allocator(seconds(10), kMany);
  allocator.allocate(4, kStart);
  allocator.release(IndexSet({0, 1}), kStart);
  allocator.release(IndexSet({2}), kStart + seconds(5));
  CHECK(allocator.allocate(1, kStart + seconds(9)) == Indexes{4});
  CHECK(allocator.allocate(1, kStart + seconds(10)) == Indexes{0});
  CHECK(allocator.allocate(2, kStart + seconds(14)) == Indexes{1, 5});
  CHECK(allocator.allocate(2, kStart + seconds(15)) == Indexes{2, 6});
}

TEST_CASE("IndexAllocator: past the largest index it fails and changes nothing") {
  IndexAllocator allocator(seconds(0), 4);
  CHECK(allocator.allocate(3, kStart) == Indexes{0, 1, 2});
  CHECK_THROWS_AS(allocator.allocate(3, kStart), Error);
  CHECK_THROWS_AS(allocator.ensure_available(3), Error);
  CHECK_NOTHROW(allocator.ensure_available(2));
  CHECK(allocator.allocate(2, kStart) == Indexes{3, 4});
  CHECK_THROWS_AS(allocator.allocate(1, kStart), Error);
}

}  // namespace
}  // namespace tq::controller
