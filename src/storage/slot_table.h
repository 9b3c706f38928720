// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "storage/index_table.h"

namespace tq::storage {

/// A small number, its slot, for each global index that is stored, so that an index is looked up
/// once a request and each field then only indexes an array. Freed slots are used again. Not
/// thread-safe.
class SlotTable {
 public:
  /// Stands for "not stored".
  static constexpr uint32_t kNone = UINT32_MAX;

  size_t size() const noexcept { return slots_.size(); }
  uint32_t find(int64_t index) const noexcept {
    const uint32_t* slot = slots_.find(index);
    return slot != nullptr ? *slot : kNone;
  }
  std::vector<uint32_t> find_all(std::span<const int64_t> indexes) const;
  /// Calls visit(int64_t index, uint32_t slot) in no order.
  template <class Visit>
  void for_each(Visit&& visit) const {
    slots_.for_each(visit);
  }

  /// The slots that these indexes, all different, have or will have after commit(). Changes nothing
  /// but takes the memory that commit() needs.
  std::vector<uint32_t> plan(std::span<const int64_t> indexes);
  /// Gives the indexes their planned slots. Requires that nothing changed since plan().
  void commit(std::span<const int64_t> indexes, std::span<const uint32_t> planned) noexcept;
  /// Frees the slot of an index; nothing happens when it has none.
  void release(int64_t index) noexcept;
  /// Gives memory back after many releases, if there is memory to do so.
  void tidy() noexcept;

 private:
  IndexTable<uint32_t> slots_;
  std::vector<uint32_t> free_;  // to be used from the end; room for every slot
  uint32_t next_ = 0;           // slots from here on were never used
};

}  // namespace tq::storage
