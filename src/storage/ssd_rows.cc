// SPDX-License-Identifier: Apache-2.0
#include "storage/ssd_rows.h"

#include "storage/ssd_record.h"

namespace tq::storage {

SsdRows::SsdRows(const Rows& rows, const std::function<bool(uint32_t)>& is_live,
                 std::span<const Stored> stored, const std::shared_ptr<const ssd::Segment>& segment,
                 SsdPointer offload)
    : places_(rows.count()), offload_(std::move(offload)) {
  std::vector<uint32_t> in_memory;
  auto next = stored.begin();
  for (uint32_t position = 0; position < places_.size(); ++position) {
    Place& place = places_[position];
    if (next != stored.end() && next->position == position) {
      place.stored = std::make_shared<const StoredRow>(segment, next->extent, next->payload_bytes);
      ++next;
    } else if (is_live(position)) {
      place.in_memory = static_cast<uint32_t>(in_memory.size());
      in_memory.push_back(position);
    }
  }
  if (!in_memory.empty()) memory_ = rows.kept(in_memory);
}

size_t SsdRows::bytes_at(size_t position) const noexcept {
  const uint32_t number = places_[position].in_memory;
  return sizeof(Place) + (number != kNowhere ? memory_->bytes_at(number) : 0);
}

size_t SsdRows::held_bytes() const noexcept {
  return places_.size() * sizeof(Place) + (memory_ != nullptr ? memory_->held_bytes() : 0);
}

std::optional<SsdPlace> SsdRows::ssd_at(size_t position) const noexcept {
  const StoredRow* stored = places_[position].stored.get();
  if (stored == nullptr) return std::nullopt;
  return SsdPlace{stored->segment.get(), stored->extent, stored->payload_bytes};
}

void SsdRows::write_at(size_t position, wire::Encoder& encoder) const {
  const Place& place = places_[position];
  if (place.stored == nullptr) return memory_->write_at(place.in_memory, encoder);
  const ssd::SegmentReader reader(*place.stored->segment);
  encoder.value(read_record(reader, place.stored->extent, offload_->limits));
}

void SsdRows::write_column(std::span<const uint32_t> positions, wire::Encoder& encoder) const {
  encoder.array(positions.size());
  for (uint32_t position : positions) write_at(position, encoder);
}

std::optional<TensorRow> SsdRows::tensor_at(size_t position) const noexcept {
  const uint32_t number = places_[position].in_memory;
  return number != kNowhere ? memory_->tensor_at(number) : std::nullopt;
}

void SsdRows::drop_at(size_t position) noexcept {
  Place& place = places_[position];
  if (place.in_memory != kNowhere) memory_->drop_at(place.in_memory);
  place.stored.reset();
}

std::unique_ptr<Rows> SsdRows::kept(std::span<const uint32_t> positions) const {
  std::unique_ptr<SsdRows> rows(new SsdRows());
  rows->offload_ = offload_;
  std::vector<uint32_t> in_memory;
  for (uint32_t position : positions) {
    Place& place = rows->places_.emplace_back(places_[position]);
    if (place.in_memory == kNowhere) continue;
    in_memory.push_back(place.in_memory);
    place.in_memory = static_cast<uint32_t>(in_memory.size() - 1);
  }
  if (!in_memory.empty()) rows->memory_ = memory_->kept(in_memory);
  return rows;
}

}  // namespace tq::storage
