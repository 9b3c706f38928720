// SPDX-License-Identifier: Apache-2.0
#include "storage/rows.h"
#include "storage/value_memory.h"

namespace tq::storage {

ValueRows::ValueRows(wire::Array values) : values_(std::move(values)) {
  for (const wire::Value& value : values_) held_bytes_ += value_bytes(value);
}

size_t ValueRows::bytes_at(size_t position) const noexcept {
  return value_bytes(values_[position]);
}

void ValueRows::drop_at(size_t position) noexcept {
  held_bytes_ -= value_bytes(values_[position]);
  values_[position] = wire::Value();
  held_bytes_ += value_bytes(values_[position]);  // its place in the list stays
}

void ValueRows::write_at(size_t position, wire::Encoder& encoder) const {
  encoder.value(values_[position]);
}

void ValueRows::write_column(std::span<const uint32_t> positions, wire::Encoder& encoder) const {
  encoder.array(positions.size());
  for (uint32_t position : positions) write_at(position, encoder);
}

std::optional<TensorRow> ValueRows::tensor_at(size_t position) const noexcept {
  const wire::Tensor* tensor = values_[position].get_if<wire::Tensor>();
  if (tensor == nullptr) return std::nullopt;
  return TensorRow{tensor->dtype, tensor->shape, tensor->data.data, tensor->data.size,
                   &tensor->data.owner};
}

std::unique_ptr<Rows> ValueRows::kept(std::span<const uint32_t> positions) const {
  wire::Array values;
  values.reserve(positions.size());
  for (uint32_t position : positions) values.push_back(values_[position]);
  return std::make_unique<ValueRows>(std::move(values));
}

}  // namespace tq::storage
