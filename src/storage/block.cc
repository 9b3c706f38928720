// SPDX-License-Identifier: Apache-2.0
#include "storage/block.h"

#include <algorithm>

namespace tq::storage {
namespace {

uint32_t find_position(const std::vector<uint32_t>& numbers, uint32_t row) noexcept {
  const auto found = std::lower_bound(numbers.begin(), numbers.end(), row);
  return static_cast<uint32_t>(found - numbers.begin());
}

}  // namespace

Block::Block(std::unique_ptr<Rows> rows)
    : rows_(std::move(rows)),
      dead_(rows_->count()),
      live_rows_(rows_->count()),
      live_bytes_(rows_->held_bytes()) {}

size_t Block::position_of(uint32_t row) const noexcept {
  return numbers_ == nullptr ? row : find_position(*numbers_, row);
}

uint32_t BlockSnapshot::position_of(uint32_t row) const noexcept {
  return numbers == nullptr ? row : find_position(*numbers, row);
}

// A snapshot dies on this thread, so rows that are not shared now are not being read.
void Block::drop_rows(size_t position) noexcept {
  if (rows_.use_count() > 1) {
    drops_are_due_ = true;
  } else if (drops_are_due_) {
    drops_are_due_ = false;
    for (size_t dead = 0; dead < dead_.size(); ++dead) {
      if (dead_[dead]) rows_->drop_at(dead);
    }
  } else {
    rows_->drop_at(position);
  }
}

size_t Block::drop(uint32_t row) noexcept {
  const size_t position = position_of(row);
  const size_t bytes = rows_->bytes_at(position);
  if (const std::optional<SsdPlace> place = rows_->ssd_at(position)) {
    --ssd_rows_;
    ssd_bytes_ -= place->payload_bytes;
  }
  dead_[position] = true;
  drop_rows(position);
  --live_rows_;
  live_bytes_ -= bytes;
  return bytes;
}

void Block::replace(std::shared_ptr<Rows> rows) noexcept {
  rows_ = std::move(rows);
  drops_are_due_ = false;
  live_bytes_ = ssd_rows_ = ssd_bytes_ = 0;
  for (size_t position = 0; position < dead_.size(); ++position) {
    if (dead_[position]) continue;
    live_bytes_ += rows_->bytes_at(position);
    if (const std::optional<SsdPlace> place = rows_->ssd_at(position)) {
      ++ssd_rows_;
      ssd_bytes_ += place->payload_bytes;
    }
  }
}

void Block::compact() {
  std::vector<uint32_t> positions;
  std::vector<uint32_t> numbers;
  positions.reserve(live_rows_);
  numbers.reserve(live_rows_);
  for (uint32_t position = 0; position < rows_->count(); ++position) {
    if (dead_[position]) continue;
    positions.push_back(position);
    numbers.push_back(numbers_ == nullptr ? position : (*numbers_)[position]);
  }
  std::vector<bool> dead(positions.size());
  auto shared_numbers = std::make_shared<const std::vector<uint32_t>>(std::move(numbers));
  rows_ = rows_->kept(positions);
  numbers_ = std::move(shared_numbers);
  dead_ = std::move(dead);
  drops_are_due_ = false;
}

}  // namespace tq::storage
