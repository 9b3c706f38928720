// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "storage/numpy_pickle.h"
#include "storage/rows.h"

namespace tq::storage {

DenseRows::DenseRows(Element element, wire::Shape shape, wire::Slice data, size_t count)
    : element_(std::move(element)),
      shape_(std::move(shape)),
      data_(std::move(data)),
      count_(count),
      row_bytes_(data_.size / count) {}

void DenseRows::write_at(size_t position, wire::Encoder& encoder) const {
  wire::Slice row = data_.sub(position * row_bytes_, row_bytes_);
  if (const auto* dtype = std::get_if<wire::DType>(&element_)) {
    return encoder.tensor(*dtype, shape_, std::move(row));
  }
  const std::string& dtype = std::get<std::string>(element_);
  if (shape_.empty()) return encoder.pickled(numpy_scalar_pickle(dtype, row.view()));
  encoder.ndarray({dtype, shape_, std::move(row)});
}

// Neighbours are one piece.
void DenseRows::write_column(std::span<const uint32_t> positions, wire::Encoder& encoder) const {
  wire::Shape shape{static_cast<int64_t>(positions.size())};
  shape.insert(shape.end(), shape_.begin(), shape_.end());
  std::vector<wire::Slice> pieces;
  for (size_t i = 0; i < positions.size(); ++i) {
    const bool follows = i > 0 && positions[i] == positions[i - 1] + 1;
    if (follows) {
      pieces.back().size += row_bytes_;
    } else {
      pieces.push_back(data_.sub(positions[i] * row_bytes_, row_bytes_));
    }
  }
  if (const auto* dtype = std::get_if<wire::DType>(&element_)) {
    return encoder.tensor(*dtype, shape, std::move(pieces));
  }
  encoder.ndarray(std::get<std::string>(element_), shape, std::move(pieces));
}

std::optional<TensorRow> DenseRows::tensor_at(size_t position) const noexcept {
  const auto* dtype = std::get_if<wire::DType>(&element_);
  if (dtype == nullptr) return std::nullopt;
  return TensorRow{*dtype, shape_, data_.data + position * row_bytes_, row_bytes_, &data_.owner};
}

std::unique_ptr<Rows> DenseRows::kept(std::span<const uint32_t> positions) const {
  auto [copy, to] = wire::Slice::allocate(positions.size() * row_bytes_);
  for (uint32_t position : positions) {
    if (row_bytes_ != 0) std::memcpy(to, data_.data + position * row_bytes_, row_bytes_);
    to += row_bytes_;
  }
  return std::make_unique<DenseRows>(element_, shape_, std::move(copy), positions.size());
}

}  // namespace tq::storage
