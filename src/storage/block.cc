// SPDX-License-Identifier: Apache-2.0
#include "storage/block.h"

#include <algorithm>

namespace tq::storage {

Block::Block(std::unique_ptr<Rows> rows)
    : rows_(std::move(rows)),
      dead_(rows_->count()),
      live_rows_(rows_->count()),
      live_bytes_(rows_->held_bytes()) {}

size_t Block::position_of(uint32_t row) const noexcept {
  if (numbers_.empty()) return row;
  const auto found = std::lower_bound(numbers_.begin(), numbers_.end(), row);
  return static_cast<size_t>(found - numbers_.begin());
}

size_t Block::drop(uint32_t row) noexcept {
  const size_t position = position_of(row);
  const size_t bytes = rows_->bytes_at(position);
  rows_->drop_at(position);
  dead_[position] = true;
  --live_rows_;
  live_bytes_ -= bytes;
  return bytes;
}

void Block::compact() {
  std::vector<uint32_t> positions;
  std::vector<uint32_t> numbers;
  positions.reserve(live_rows_);
  numbers.reserve(live_rows_);
  for (uint32_t position = 0; position < rows_->count(); ++position) {
    if (dead_[position]) continue;
    positions.push_back(position);
    numbers.push_back(numbers_.empty() ? position : numbers_[position]);
  }
  std::vector<bool> dead(positions.size());
  rows_ = rows_->kept(positions);
  numbers_ = std::move(numbers);
  dead_ = std::move(dead);
}

}  // namespace tq::storage
