// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/row_refs.h"
#include "storage/rows.h"

namespace tq::storage {

/// The rows of a block as they were, sharing its payload. While one of these is there, the block
/// keeps what it drops.
struct BlockSnapshot {
  std::shared_ptr<const Rows> rows;                      // null: the number was free
  std::shared_ptr<const std::vector<uint32_t>> numbers;  // of the rows by position; null: itself

  uint32_t position_of(uint32_t row) const noexcept;
};

struct FieldSnapshot {
  std::string name;
  RowRefs rows;
  std::vector<BlockSnapshot> blocks;  // by number
};

/// A store as it was when this was taken, at the cost of copying its tables: no payload is copied,
/// and the store goes on. Another thread may read it; it must die on the store's own thread.
struct StoreSnapshot {
  std::vector<FieldSnapshot> fields;  // in the order in which the store got to know them
  std::vector<std::pair<int64_t, uint32_t>> slots;  // global index and slot, in no order
};

}  // namespace tq::storage
