// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace tq::controller {

/// Chunks of a table over global indexes, sorted by chunk number; only chunks that hold something
/// exist. Chunks stay where they are in memory until they are dropped. Remembers where the last
/// look-up ended, so neighbours are found without a search; hence not thread-safe, not even to
/// read.
template <class Chunk>
class SparseChunks {
 public:
  struct Entry {
    int64_t id;
    std::unique_ptr<Chunk> chunk;
  };

  const std::vector<Entry>& entries() const noexcept { return entries_; }
  bool empty() const noexcept { return entries_.empty(); }
  void clear() noexcept { entries_.clear(); }

  /// The chunk, or nullptr.
  const Chunk* find(int64_t id) const noexcept {
    const size_t at = position(id);
    return at < entries_.size() && entries_[at].id == id ? entries_[at].chunk.get() : nullptr;
  }
  Chunk* find(int64_t id) noexcept { return const_cast<Chunk*>(std::as_const(*this).find(id)); }

  /// The chunk, created when it is not there.
  Chunk& obtain(int64_t id) {
    const size_t at = position(id);
    if (at == entries_.size() || entries_[at].id != id) {
      entries_.insert(entries_.begin() + static_cast<ptrdiff_t>(at),
                      Entry{id, std::make_unique<Chunk>()});
    }
    return *entries_[at].chunk;
  }

  void drop(int64_t id) {
    const size_t at = position(id);
    if (at < entries_.size() && entries_[at].id == id) {
      entries_.erase(entries_.begin() + static_cast<ptrdiff_t>(at));
    }
  }
  void drop_empty() {
    std::erase_if(entries_, [](const Entry& entry) { return entry.chunk->count == 0; });
  }

 private:
  // Where `id` is or would stand.
  size_t position(int64_t id) const noexcept {
    for (size_t at = hint_; at < entries_.size() && at < hint_ + 2; ++at) {
      if (entries_[at].id == id) return hint_ = at;
    }
    const auto found =
        std::lower_bound(entries_.begin(), entries_.end(), id,
                         [](const Entry& entry, int64_t wanted) { return entry.id < wanted; });
    return hint_ = static_cast<size_t>(found - entries_.begin());
  }

  std::vector<Entry> entries_;
  mutable size_t hint_ = 0;
};

}  // namespace tq::controller
