// SPDX-License-Identifier: Apache-2.0
#include "storage/slot_table.h"

#include <algorithm>
#include <new>

namespace tq::storage {

std::vector<uint32_t> SlotTable::find_all(std::span<const int64_t> indexes) const {
  std::vector<uint32_t> slots;
  slots.reserve(indexes.size());
  for (int64_t index : indexes) slots.push_back(find(index));
  return slots;
}

std::vector<uint32_t> SlotTable::plan(std::span<const int64_t> indexes) {
  std::vector<uint32_t> slots = find_all(indexes);
  size_t free_left = free_.size();
  uint32_t next = next_;
  for (uint32_t& slot : slots) {
    if (slot == kNone) slot = free_left > 0 ? free_[--free_left] : next++;
  }
  slots_.reserve(indexes.size());
  if (free_.capacity() < next) free_.reserve(std::max<size_t>(next, 2 * free_.capacity()));
  return slots;
}

void SlotTable::commit(std::span<const int64_t> indexes,
                       std::span<const uint32_t> planned) noexcept {
  for (size_t i = 0; i < indexes.size(); ++i) {
    if (slots_.set(indexes[i], planned[i])) continue;
    if (!free_.empty()) {
      free_.pop_back();
    } else {
      ++next_;
    }
  }
}

void SlotTable::release(int64_t index) noexcept {
  const std::optional<uint32_t> slot = slots_.erase(index);
  if (slot) free_.push_back(*slot);
}

void SlotTable::tidy() noexcept {
  if (slots_.empty()) {
    free_ = {};
    next_ = 0;
  }
  try {
    slots_.shrink();
  } catch (const std::bad_alloc&) {
    // It only takes more memory than it needs.
  }
}

}  // namespace tq::storage
