// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "controller/sparse_chunks.h"

namespace tq::controller {

/// A set of global indexes: a bitmap in chunks of 4096, of which only those exist that hold an
/// index. Ascending to walk. Indexes must not be negative.
///
/// Indexes that a peer names go into a set only after it is known that the partition has them:
/// 16 million indexes far apart would fill a chunk each.
class IndexSet {
 public:
  static constexpr int64_t kChunkBits = 4096;
  static constexpr size_t kChunkWords = kChunkBits / 64;
  struct Chunk {
    uint32_t count = 0;
    std::array<uint64_t, kChunkWords> words{};
  };

  IndexSet() = default;
  explicit IndexSet(const std::vector<int64_t>& indexes);
  IndexSet(IndexSet&& other) noexcept;
  IndexSet& operator=(IndexSet&& other) noexcept;

  /// True when the index was not in the set before.
  bool insert(int64_t index);
  /// True when the index was in the set.
  bool erase(int64_t index);
  bool contains(int64_t index) const noexcept;
  size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  void clear() noexcept;

  /// Set algebra, word by word.
  void add(const IndexSet& other);
  void remove(const IndexSet& other);
  bool contains_all(const IndexSet& other) const noexcept;

  /// Adds the indexes of one chunk.
  void add_chunk(int64_t id, const std::array<uint64_t, kChunkWords>& words);
  /// The largest index. Requires one.
  int64_t last() const noexcept;

  /// Removes the smallest indexes, at most `count`, and returns them ascending.
  std::vector<int64_t> take_first(size_t count);
  std::vector<int64_t> to_vector() const;

  /// Calls visit(int64_t) for each index, ascending. `visit` must not change the set.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [id, chunk] : chunks_.entries()) {
      for (size_t w = 0; w < kChunkWords; ++w) visit_word(id, w, chunk->words[w], visit);
    }
  }

  const SparseChunks<Chunk>& chunks() const noexcept { return chunks_; }
  /// Heap bytes that the set takes.
  size_t memory_bytes() const noexcept;

 private:
  template <class Visit>
  static void visit_word(int64_t chunk_id, size_t word, uint64_t bits, Visit& visit) {
    const int64_t base = chunk_id * kChunkBits + static_cast<int64_t>(word * 64);
    for (; bits != 0; bits &= bits - 1) visit(base + std::countr_zero(bits));
  }

  SparseChunks<Chunk> chunks_;
  size_t size_ = 0;
};

}  // namespace tq::controller
