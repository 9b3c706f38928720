// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "storage/rows.h"
#include "storage/snapshot.h"

namespace tq::storage {

/// The rows of one put for one field, and which of them are still live. A row keeps its number, 0
/// to count - 1, for as long as it lives, also when the block is compacted. Not thread-safe.
class Block {
 public:
  explicit Block(std::unique_ptr<Rows> rows);

  size_t live_rows() const noexcept { return live_rows_; }
  size_t live_bytes() const noexcept { return live_bytes_; }
  size_t held_bytes() const noexcept { return rows_->held_bytes(); }
  /// Live rows that lie on an SSD, and their payload.
  size_t ssd_rows() const noexcept { return ssd_rows_; }
  size_t ssd_bytes() const noexcept { return ssd_bytes_; }

  const Rows& rows() const noexcept { return *rows_; }
  bool is_live(size_t position) const noexcept { return !dead_[position]; }
  size_t position_of(uint32_t row) const noexcept;

  /// Puts the same live rows, at the same positions, in the place of those that are there.
  void replace(std::shared_ptr<Rows> rows) noexcept;

  /// Ends a live row. Returns the bytes that it was counted with.
  size_t drop(uint32_t row) noexcept;

  /// Whether most of what the block holds is dead, so that compact() is worth a copy. The threshold
  /// of one half means that each byte is copied at most once for every byte that was put.
  bool is_sparse() const noexcept { return live_rows_ > 0 && 2 * live_bytes_ < held_bytes(); }
  /// Copies the live rows out and lets the rest go. May throw std::bad_alloc and is then unchanged.
  void compact();

  /// See BlockSnapshot.
  BlockSnapshot snapshot() const { return {rows_, numbers_}; }

 private:
  void drop_rows(size_t position) noexcept;

  std::shared_ptr<Rows> rows_;
  // Of the rows by position, ascending; null: the position itself.
  std::shared_ptr<const std::vector<uint32_t>> numbers_;
  std::vector<bool> dead_;      // by position
  bool drops_are_due_ = false;  // rows_ was shared with a snapshot when rows died
  size_t live_rows_;
  size_t live_bytes_;
  size_t ssd_rows_ = 0;
  size_t ssd_bytes_ = 0;
};

}  // namespace tq::storage
