// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <utility>
#include <vector>

namespace tq::storage {

/// A hash table from global index (not negative) to a small value, for millions of entries: no
/// allocation an entry, 16 bytes an entry of 8 at three quarters load, and it shrinks again.
/// Erasing leaves no tombstones. Not thread-safe.
template <class T>
class IndexTable {
 public:
  size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  const T* find(int64_t index) const noexcept {
    if (entries_.empty()) return nullptr;
    const Entry& entry = entries_[slot_of(index)];
    return entry.index == index ? &entry.value : nullptr;
  }
  bool contains(int64_t index) const noexcept { return find(index) != nullptr; }

  /// Calls visit(int64_t index, const T& value) in no order.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const Entry& entry : entries_) {
      if (entry.index != kFree) visit(entry.index, entry.value);
    }
  }

  /// Makes room for `more` new entries; then that many set() calls do not allocate.
  void reserve(size_t more) {
    const size_t needed = size_ + more;
    if (needed * 4 > entries_.size() * 3) rehash(std::bit_ceil(needed * 4 / 3 + 1));
  }
  /// Sets the value of an index and returns the one before it.
  std::optional<T> set(int64_t index, T value) {
    reserve(1);
    Entry& entry = entries_[slot_of(index)];
    if (entry.index == index) return std::exchange(entry.value, std::move(value));
    entry = {index, std::move(value)};
    ++size_;
    return std::nullopt;
  }
  /// Removes an index and returns its value.
  std::optional<T> erase(int64_t index) noexcept {
    if (entries_.empty()) return std::nullopt;
    const size_t slot = slot_of(index);
    if (entries_[slot].index != index) return std::nullopt;
    T value = std::move(entries_[slot].value);
    close_gap(slot);
    --size_;
    return value;
  }
  /// Gives back memory after many entries were erased. May throw std::bad_alloc and is then
  /// unchanged.
  void shrink() {
    constexpr size_t kSlotsMin = 64;
    if (entries_.size() > kSlotsMin && size_ * 8 < entries_.size()) {
      rehash(std::bit_ceil(size_ * 2 + 1));
    }
  }

 private:
  static constexpr int64_t kFree = -1;
  struct Entry {
    int64_t index = kFree;
    T value{};
  };

  // Hashing by a number that peers do not know, so that none can choose indexes that all meet in
  // one place. One multiplication alone would do for that, but clusters the evenly spaced indexes
  // that routing gives a unit: up to 90 steps a search for an unlucky number, against 1.4 with two.
  static uint64_t secret() {
    static const uint64_t kOdd = [] {
      std::random_device random;
      return (uint64_t{random()} << 32 | random()) | 1;
    }();
    return kOdd;
  }
  size_t home_of(int64_t index) const noexcept {
    uint64_t hash = static_cast<uint64_t>(index) * secret_;
    hash ^= hash >> 32;
    return static_cast<size_t>((hash * 0x9E3779B97F4A7C15) >> shift_);
  }
  // Where the index is, or the free slot where it belongs.
  size_t slot_of(int64_t index) const noexcept {
    const size_t mask = entries_.size() - 1;
    size_t slot = home_of(index);
    while (entries_[slot].index != index && entries_[slot].index != kFree) slot = (slot + 1) & mask;
    return slot;
  }
  // Moves later entries of the run back, so that no search ends too early.
  void close_gap(size_t gap) noexcept {
    const size_t mask = entries_.size() - 1;
    for (size_t slot = (gap + 1) & mask; entries_[slot].index != kFree; slot = (slot + 1) & mask) {
      const size_t home = home_of(entries_[slot].index);
      if (((slot - home) & mask) < ((slot - gap) & mask)) continue;  // would pass its home
      entries_[gap] = std::move(entries_[slot]);
      gap = slot;
    }
    entries_[gap] = Entry{};
  }
  void rehash(size_t slots) {
    if (slots < 8) slots = 8;
    std::vector<Entry> old(slots);
    old.swap(entries_);
    shift_ = 64 - std::countr_zero(slots);
    for (Entry& entry : old) {
      if (entry.index != kFree) entries_[slot_of(entry.index)] = std::move(entry);
    }
  }

  std::vector<Entry> entries_;  // a power of two of slots
  size_t size_ = 0;
  int shift_ = 0;
  uint64_t secret_ = secret();
};

}  // namespace tq::storage
