// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "storage/rows.h"

namespace tq::storage {

RaggedRows::RaggedRows(std::span<const wire::Tensor* const> tensors)
    : dtype_(tensors[0]->dtype), dimensions_(tensors[0]->shape.size()) {
  size_t total = 0;
  for (const wire::Tensor* tensor : tensors) total += tensor->data.size;
  shapes_.reserve(tensors.size() * dimensions_);
  ends_.reserve(tensors.size());
  auto [data, start] = wire::Slice::allocate(total);
  size_t end = 0;
  for (const wire::Tensor* tensor : tensors) {
    shapes_.insert(shapes_.end(), tensor->shape.begin(), tensor->shape.end());
    if (!tensor->data.empty()) std::memcpy(start + end, tensor->data.data, tensor->data.size);
    end += tensor->data.size;
    ends_.push_back(end);
  }
  data_ = std::move(data);
}

std::span<const int64_t> RaggedRows::shape_of(size_t position) const noexcept {
  return std::span(shapes_).subspan(position * dimensions_, dimensions_);
}

void RaggedRows::write_at(size_t position, wire::Encoder& encoder) const {
  const std::span<const int64_t> shape = shape_of(position);
  encoder.tensor(dtype_, wire::Shape(shape.begin(), shape.end()),
                 data_.sub(begin_of(position), bytes_at(position)));
}

void RaggedRows::write_column(std::span<const uint32_t> positions, wire::Encoder& encoder) const {
  encoder.array(positions.size());
  for (uint32_t position : positions) write_at(position, encoder);
}

std::optional<TensorRow> RaggedRows::tensor_at(size_t position) const noexcept {
  return TensorRow{dtype_, shape_of(position), data_.data + begin_of(position), bytes_at(position),
                   &data_.owner};
}

std::unique_ptr<Rows> RaggedRows::kept(std::span<const uint32_t> positions) const {
  std::unique_ptr<RaggedRows> rows(new RaggedRows());
  rows->dtype_ = dtype_;
  rows->dimensions_ = dimensions_;
  rows->shapes_.reserve(positions.size() * dimensions_);
  rows->ends_.reserve(positions.size());
  size_t total = 0;
  for (uint32_t position : positions) {
    const std::span<const int64_t> shape = shape_of(position);
    rows->shapes_.insert(rows->shapes_.end(), shape.begin(), shape.end());
    rows->ends_.push_back(total += bytes_at(position));
  }
  auto [data, to] = wire::Slice::allocate(total);
  for (uint32_t position : positions) {
    std::memcpy(to, data_.data + begin_of(position), bytes_at(position));
    to += bytes_at(position);
  }
  rows->data_ = std::move(data);
  return rows;
}

}  // namespace tq::storage
