// SPDX-License-Identifier: Apache-2.0
#include "storage/field.h"

#include <algorithm>
#include <new>

namespace tq::storage {

size_t Field::held_bytes() const noexcept {
  size_t total = 0;
  for_each_block([&](const Block& block) { total += block.held_bytes(); });
  return total;
}

FieldSnapshot Field::snapshot() const {
  FieldSnapshot snapshot{name_, rows_, {}};
  snapshot.blocks.reserve(blocks_.size());
  for (const Place& place : blocks_) {
    snapshot.blocks.push_back(place.block != nullptr ? place.block->snapshot() : BlockSnapshot{});
  }
  return snapshot;
}

void Field::prepare(std::span<const uint32_t> slots) {
  for (uint32_t slot : slots) rows_.prepare(slot);
  if (!free_numbers_.empty()) return;
  // Room for one more block, and for the number of every block in both lists.
  if (blocks_.size() == blocks_.capacity())
    blocks_.reserve(std::max<size_t>(4, 2 * blocks_.size()));
  free_numbers_.reserve(blocks_.capacity());
  sparse_.reserve(blocks_.capacity());
}

uint32_t Field::add(std::unique_ptr<Block> block) noexcept {
  if (free_numbers_.empty()) {
    blocks_.push_back({std::move(block), false});
    return static_cast<uint32_t>(blocks_.size() - 1);
  }
  const uint32_t number = free_numbers_.back();
  free_numbers_.pop_back();
  blocks_[number].block = std::move(block);
  return number;
}

size_t Field::put(std::unique_ptr<Block> block, std::span<const uint32_t> slots,
                  std::span<const uint32_t> rows) noexcept {
  const uint32_t number = add(std::move(block));
  size_t replaced_bytes = 0;
  for (size_t i = 0; i < slots.size(); ++i) {
    const std::optional<RowRef> before = rows_.set(slots[i], RowRef{number, rows[i]});
    if (before) replaced_bytes += drop(*before);
  }
  return replaced_bytes;
}

size_t Field::erase(uint32_t slot) noexcept {
  const std::optional<RowRef> ref = rows_.erase(slot);
  return ref ? drop(*ref) : 0;
}

size_t Field::drop(RowRef ref) noexcept {
  Place& place = blocks_[ref.block];
  const size_t bytes = place.block->drop(ref.row);
  if (place.block->live_rows() == 0) {
    place.block.reset();
    free_numbers_.push_back(ref.block);
  } else if (!place.is_listed && place.block->is_sparse()) {
    place.is_listed = true;
    sparse_.push_back(ref.block);
  }
  return bytes;
}

void Field::tidy() noexcept {
  for (uint32_t number : sparse_) {
    Place& place = blocks_[number];
    place.is_listed = false;
    try {
      if (place.block != nullptr) place.block->compact();
    } catch (const std::bad_alloc&) {
      // Its rows are all there; they only take more memory than they need.
    }
  }
  sparse_.clear();
}

}  // namespace tq::storage
