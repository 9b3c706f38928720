// SPDX-License-Identifier: Apache-2.0
#include "storage/rows.h"
#include "storage/tensordict.h"

namespace tq::storage {

TensorDictRows::TensorDictRows(wire::Shape batch_tail, size_t count, Entries entries)
    : batch_tail_(std::move(batch_tail)), count_(count), entries_(std::move(entries)) {}

size_t TensorDictRows::bytes_at(size_t position) const noexcept {
  size_t total = 0;
  for (const auto& [name, rows] : entries_) total += rows->bytes_at(position);
  return total;
}

size_t TensorDictRows::held_bytes() const noexcept {
  size_t total = 0;
  for (const auto& [name, rows] : entries_) total += rows->held_bytes();
  return total;
}

void TensorDictRows::write_at(size_t position, wire::Encoder& encoder) const {
  encoder.map(3);
  encoder.str(kTensorDictMarker);
  encoder.boolean(true);
  encoder.str(kTensorDictBatchSize);
  encoder.array(batch_tail_.size());
  for (int64_t dimension : batch_tail_) encoder.integer(dimension);
  encoder.str(kTensorDictData);
  encoder.map(entries_.size());
  for (const auto& [name, rows] : entries_) {
    encoder.str(name);
    rows->write_at(position, encoder);
  }
}

void TensorDictRows::write_column(std::span<const uint32_t> positions,
                                  wire::Encoder& encoder) const {
  encoder.map(3);
  encoder.str(kTensorDictMarker);
  encoder.boolean(true);
  encoder.str(kTensorDictBatchSize);
  encoder.array(1 + batch_tail_.size());
  encoder.integer(static_cast<int64_t>(positions.size()));
  for (int64_t dimension : batch_tail_) encoder.integer(dimension);
  encoder.str(kTensorDictData);
  encoder.map(entries_.size());
  for (const auto& [name, rows] : entries_) {
    encoder.str(name);
    rows->write_column(positions, encoder);
  }
}

void TensorDictRows::drop_at(size_t position) noexcept {
  for (auto& [name, rows] : entries_) rows->drop_at(position);
}

std::unique_ptr<Rows> TensorDictRows::kept(std::span<const uint32_t> positions) const {
  Entries entries;
  entries.reserve(entries_.size());
  for (const auto& [name, rows] : entries_) entries.emplace_back(name, rows->kept(positions));
  return std::make_unique<TensorDictRows>(batch_tail_, positions.size(), std::move(entries));
}

}  // namespace tq::storage
