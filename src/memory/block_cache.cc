// SPDX-License-Identifier: Apache-2.0
#include "memory/block_cache.h"

#include <sys/mman.h>

#include <cstdint>
#include <iterator>
#include <new>
#include <thread>
#include <utility>

namespace tq::memory {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

// A cached block may be this much larger than what is asked for: more would waste warm memory.
constexpr size_t slack(size_t size) { return size / 4 + kHugePage; }

size_t rounded_up(size_t size) { return (size + kHugePage - 1) / kHugePage * kHugePage; }

// Aligned so that every 2 MiB of it can be one huge page.
std::byte* map(size_t size) {
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void* mapped = ::mmap(nullptr, size + kHugePage, PROT_READ | PROT_WRITE, kFlags, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* start = static_cast<std::byte*>(mapped);
  const size_t before =
      rounded_up(reinterpret_cast<uintptr_t>(start)) - reinterpret_cast<uintptr_t>(start);
  if (before > 0) ::munmap(start, before);
  if (before < kHugePage) ::munmap(start + before + size, kHugePage - before);
  ::madvise(start + before, size, MADV_HUGEPAGE);  // where the system has none: ordinary pages
  return start + before;
}

// Under AddressSanitizer a reused block would hide that somebody still reads the old content.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kKeep = false;
#else
constexpr bool kKeep = true;
#endif

}  // namespace

BlockCache::~BlockCache() {
  for (const Block& block : cached_) ::munmap(block.start, block.size);
}

std::shared_ptr<std::byte[]> BlockCache::allocate(size_t size_bytes) {
  size_t size = rounded_up(size_bytes);
  std::byte* start = take_cached(size, &size);
  if (start == nullptr) start = map(size);
  return {start, [this, size](std::byte* block) { release(block, size); }};
}

std::byte* BlockCache::take_cached(size_t size, size_t* block_size) {
  const std::lock_guard lock(mutex_);
  auto best = cached_.end();
  for (auto block = cached_.begin(); block != cached_.end(); ++block) {
    const bool fits = block->size >= size && block->size <= size + slack(size);
    if (fits && (best == cached_.end() || block->size < best->size)) best = block;
    if (fits && block->size == size) break;
  }
  if (best == cached_.end()) return nullptr;
  std::byte* start = best->start;
  *block_size = best->size;
  cached_bytes_ -= best->size;
  cached_.erase(best);
  return start;
}

void BlockCache::release(std::byte* start, size_t size) {
  if (!kKeep) {
    ::munmap(start, size);
    return;
  }
  const std::lock_guard lock(mutex_);
  cached_.push_front({start, size, Clock::now()});
  cached_bytes_ += size;
}

BlockCache::Clock::time_point BlockCache::trim(Clock::time_point now) {
  std::list<Block> old;  // unmapped without the lock: that takes a while
  Clock::time_point next = Clock::time_point::max();
  {
    const std::lock_guard lock(mutex_);
    while (!cached_.empty() && cached_bytes_ > settings_.floor_bytes) {
      const auto oldest = std::prev(cached_.end());
      if (oldest->released_at + settings_.idle > now) {
        next = oldest->released_at + settings_.idle;
        break;
      }
      cached_bytes_ -= oldest->size;
      old.splice(old.begin(), cached_, oldest);
    }
  }
  for (const Block& block : old) ::munmap(block.start, block.size);
  return next;
}

void BlockCache::set_floor(size_t floor_bytes) {
  const std::lock_guard lock(mutex_);
  settings_.floor_bytes = floor_bytes;
}

bool BlockCache::is_above_floor() const {
  const std::lock_guard lock(mutex_);
  return cached_bytes_ > settings_.floor_bytes;
}

namespace {

// Trims the process's cache on a thread that ends when there is nothing left to do.
class Trimmer {
 public:
  explicit Trimmer(BlockCache& cache) : cache_(cache) {}

  // Call after something was released.
  void ensure_running() {
    if (!cache_.is_above_floor()) return;
    const std::lock_guard lock(mutex_);
    if (running_) return;
    running_ = true;
    std::thread([this] { run(); }).detach();
  }

 private:
  void run() {
    while (true) {
      const auto next = cache_.trim(BlockCache::Clock::now());
      if (next != BlockCache::Clock::time_point::max()) {
        std::this_thread::sleep_until(next);
        continue;
      }
      const std::lock_guard lock(mutex_);
      if (cache_.is_above_floor()) continue;  // released meanwhile, by somebody who saw us running
      running_ = false;
      return;
    }
  }

  BlockCache& cache_;
  std::mutex mutex_;
  bool running_ = false;
};

struct Process {
  BlockCache cache{BlockCache::Settings{}};
  Trimmer trimmer{cache};
};

// Never destroyed: blocks and the thread may live until the process has ended.
Process& process() {
  static Process* const instance = new Process;
  return *instance;
}

}  // namespace

std::shared_ptr<std::byte[]> allocate_block(size_t size_bytes) {
  std::shared_ptr<std::byte[]> block = process().cache.allocate(size_bytes);
  std::byte* start = block.get();
  return {start, [block = std::move(block)](std::byte*) mutable {
            block.reset();
            process().trimmer.ensure_running();
          }};
}

void set_kept_bytes(size_t bytes) { process().cache.set_floor(bytes); }

}  // namespace tq::memory
