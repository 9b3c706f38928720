// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "storage/block.h"
#include "storage/row_refs.h"

namespace tq::storage {

/// A stored row, where it lies. Valid until the next change of the store.
struct RowView {
  const Rows* rows;
  size_t position;

  size_t bytes() const noexcept { return rows->bytes_at(position); }
  void write(wire::Encoder& encoder) const { rows->write_at(position, encoder); }
  std::optional<TensorRow> tensor() const noexcept { return rows->tensor_at(position); }
  std::optional<SsdPlace> ssd() const noexcept { return rows->ssd_at(position); }
};

/// One field of a store: which slot (storage/slot_table.h) has which row. Once seen, a field stays,
/// rows or not.
/// Not thread-safe.
class Field {
 public:
  explicit Field(std::string name) : name_(std::move(name)) {}

  const std::string& name() const noexcept { return name_; }
  size_t row_count() const noexcept { return rows_.size(); }
  /// What the rows keep in memory, dead ones in their blocks included.
  size_t held_bytes() const noexcept;
  /// Calls visit(const Block&) for each put of which rows are left.
  template <class Visit>
  void for_each_block(Visit&& visit) const {
    for (const Place& place : blocks_) {
      if (place.block != nullptr) visit(*place.block);
    }
  }

  /// The row of a slot; nothing when there is none.
  std::optional<RowView> find(uint32_t slot) const noexcept {
    const std::optional<RowRef> ref = rows_.find(slot);
    if (!ref) return std::nullopt;
    const Block& block = *blocks_[ref->block].block;
    return RowView{&block.rows(), block.position_of(ref->row)};
  }

  /// See StoreSnapshot.
  FieldSnapshot snapshot() const;

  /// Takes the memory that the next put() into these slots needs.
  void prepare(std::span<const uint32_t> slots);
  /// Gives slots[i] the row rows[i] of the block, whose other rows must be dropped already. Returns
  /// the bytes of the rows that were replaced. Does not fail after prepare().
  size_t put(std::unique_ptr<Block> block, std::span<const uint32_t> slots,
             std::span<const uint32_t> rows) noexcept;
  /// Removes the row of a slot if there is one. Returns its bytes.
  size_t erase(uint32_t slot) noexcept;
  /// Compacts what put() and erase() left mostly dead. Without memory for that it stays as it is.
  void tidy() noexcept;

 private:
  struct Place {
    std::unique_ptr<Block> block;  // null: the number is free
    bool is_listed = false;        // in sparse_
  };

  uint32_t add(std::unique_ptr<Block> block) noexcept;
  size_t drop(RowRef ref) noexcept;

  std::string name_;
  RowRefs rows_;
  std::vector<Place> blocks_;           // by number
  std::vector<uint32_t> free_numbers_;  // of blocks_, room for all of them
  std::vector<uint32_t> sparse_;        // numbers of blocks to compact, room for all of them
};

}  // namespace tq::storage
