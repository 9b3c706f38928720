// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>

namespace tq::memory {

/// Large blocks of memory that stay warm between their users. Touching fresh pages costs several
/// times what copying into them does (docs/performance.md), and a transfer of gigabytes touches
/// hundreds of thousands; so blocks lie on huge pages and a released one is kept for the next user.
/// What nobody took for `idle` goes back to the system, down to `floor_bytes`. Thread-safe.
class BlockCache {
 public:
  using Clock = std::chrono::steady_clock;

  struct Settings {
    size_t floor_bytes = size_t{256} << 20;
    Clock::duration idle = std::chrono::seconds(5);
  };

  explicit BlockCache(Settings settings) : settings_(settings) {}
  ~BlockCache();
  BlockCache(const BlockCache&) = delete;
  BlockCache& operator=(const BlockCache&) = delete;

  /// Uninitialised memory, aligned to 2 MiB; goes back into the cache with its last owner. The
  /// cache must outlive it. Throws std::bad_alloc.
  std::shared_ptr<std::byte[]> allocate(size_t size_bytes);

  /// Gives back to the system what has been idle for long enough at `now`. Returns when the next
  /// block will be; Clock::time_point::max() when nothing more is to go.
  Clock::time_point trim(Clock::time_point now);

  /// From the next trim() on.
  void set_floor(size_t floor_bytes);

  /// Whether more is kept than the floor, so that trim() will have something to do.
  bool is_above_floor() const;

 private:
  struct Block {
    std::byte* start;
    size_t size;
    Clock::time_point released_at;
  };

  std::byte* take_cached(size_t size, size_t* block_size);
  void release(std::byte* start, size_t size);

  mutable std::mutex mutex_;
  Settings settings_;
  std::list<Block> cached_;  // the one released last comes first
  size_t cached_bytes_ = 0;
};

/// The cache of this process. A thread of its own, which runs only while there is something to give
/// back, trims it.
std::shared_ptr<std::byte[]> allocate_block(size_t size_bytes);

/// What the cache of this process keeps however long nobody takes it; 256 MiB unless set.
void set_kept_bytes(size_t bytes);

/// From this size on a buffer is worth a block of its own: below it the allocator keeps memory warm
/// by itself, and rounding up to huge pages would waste much.
constexpr size_t kBlockBytesMin = size_t{16} << 20;

}  // namespace tq::memory
