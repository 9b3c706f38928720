// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "controller/sparse_chunks.h"

namespace tq::controller {

/// A small number for each of some global indexes, four bytes an entry where indexes are dense.
/// kNone stands for "no entry" and cannot be stored.
class IndexMap {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  uint32_t find(int64_t index) const noexcept {
    const Chunk* chunk = chunks_.find(index / kSpan);
    return chunk == nullptr ? kNone : chunk->values[static_cast<size_t>(index % kSpan)];
  }
  /// Sets the entry and returns the one before it (kNone when there was none).
  uint32_t set(int64_t index, uint32_t value) {
    Chunk& chunk = chunks_.obtain(index / kSpan);
    uint32_t& entry = chunk.values[static_cast<size_t>(index % kSpan)];
    if (entry == kNone) ++chunk.count, ++size_;
    return std::exchange(entry, value);
  }
  /// Removes the entry and returns it (kNone when there was none).
  uint32_t erase(int64_t index) {
    Chunk* chunk = chunks_.find(index / kSpan);
    if (chunk == nullptr) return kNone;
    const uint32_t before = std::exchange(chunk->values[static_cast<size_t>(index % kSpan)], kNone);
    if (before == kNone) return kNone;
    --size_;
    if (--chunk->count == 0) chunks_.drop(index / kSpan);
    return before;
  }
  size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  void clear() noexcept {
    chunks_.clear();
    size_ = 0;
  }
  /// Calls visit(int64_t index, uint32_t value), ascending.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [id, chunk] : chunks_.entries()) {
      for (int64_t i = 0; i < kSpan; ++i) {
        const uint32_t value = chunk->values[static_cast<size_t>(i)];
        if (value != kNone) visit(id * kSpan + i, value);
      }
    }
  }
  /// Replaces each entry by change(entry), which must not give kNone.
  template <class Change>
  void transform(Change&& change) {
    for (const auto& [id, chunk] : chunks_.entries()) {
      for (uint32_t& value : chunk->values) {
        if (value != kNone) value = change(value);
      }
    }
  }
  size_t memory_bytes() const noexcept {
    return chunks_.entries().size() * sizeof(Chunk) +
           chunks_.entries().capacity() * sizeof(SparseChunks<Chunk>::Entry);
  }

 private:
  static constexpr int64_t kSpan = 256;
  struct Chunk {
    Chunk() { values.fill(kNone); }
    uint32_t count = 0;
    std::array<uint32_t, kSpan> values;
  };

  SparseChunks<Chunk> chunks_;
  size_t size_ = 0;
};

}  // namespace tq::controller
