// SPDX-License-Identifier: Apache-2.0
#include "transfer_queue/column.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

namespace tq {
namespace {

bool has_negative(const Shape& shape) {
  return std::any_of(shape.begin(), shape.end(), [](int64_t d) { return d < 0; });
}

void check_tensor(const Tensor& tensor) {
  if (has_negative(tensor.shape) ||
      static_cast<uint64_t>(element_count(tensor.shape)) * dtype_size(tensor.dtype) !=
          tensor.data.size) {
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("a tensor of dtype {} and shape [{}] does not fit its {} bytes",
                    dtype_name(tensor.dtype), fmt::join(tensor.shape, ", "), tensor.data.size));
  }
}

void check_range(size_t begin, size_t end, size_t rows) {
  if (begin <= end && end <= rows) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("rows {} to {} are no part of {} rows", begin, end, rows));
}

template <class T>
std::vector<T> part_of(const std::vector<T>& all, size_t begin, size_t end) {
  const auto from = all.begin();
  return {from + static_cast<ptrdiff_t>(begin), from + static_cast<ptrdiff_t>(end)};
}

Tensor part_of(const Tensor& tensor, size_t begin, size_t end) {
  const auto rows = static_cast<size_t>(tensor.shape[0]);
  const size_t row_bytes = rows == 0 ? 0 : tensor.data.size / rows;
  Shape shape = tensor.shape;
  shape[0] = static_cast<int64_t>(end - begin);
  return {tensor.dtype, std::move(shape),
          tensor.data.sub(begin * row_bytes, (end - begin) * row_bytes)};
}

JaggedTensor part_of(const JaggedTensor& tensor, size_t begin, size_t end) {
  const int64_t first = tensor.offsets[begin];
  JaggedTensor part{
      part_of(tensor.values, static_cast<size_t>(first), static_cast<size_t>(tensor.offsets[end])),
      part_of(tensor.offsets, begin, end + 1), part_of(tensor.shapes, begin, end)};
  for (int64_t& offset : part.offsets) offset -= first;
  return part;
}

// The rows where they lie, if they do so one after the other in one buffer, as rows do that were
// received in place; else nothing. Empty rows lie anywhere.
Slice adjacent(const std::vector<Tensor>& rows, size_t total) {
  Slice whole;
  for (const Tensor& row : rows) {
    if (row.data.empty()) continue;
    if (whole.empty()) {
      whole = row.data;
    } else if (row.data.owner == whole.owner && row.data.data == whole.data + whole.size) {
      whole.size += row.data.size;
    } else {
      break;
    }
  }
  return whole.size == total ? whole : Slice{};
}

// The rows one after the other, in a fresh buffer unless they lie so.
Slice gathered(const std::vector<Tensor>& rows) {
  size_t total = 0;
  for (const Tensor& row : rows) total += row.data.size;
  if (Slice whole = adjacent(rows, total); !whole.empty()) return whole;
  auto [data, to] = Slice::allocate(total);
  for (const Tensor& row : rows) {
    if (!row.data.empty()) std::memcpy(to, row.data.data, row.data.size);
    to += row.data.size;
  }
  return std::move(data);
}

}  // namespace

Tensor row_of(const Tensor& tensor, size_t i) {
  const size_t row_bytes = tensor.data.size / static_cast<size_t>(tensor.shape[0]);
  return {tensor.dtype, Shape(tensor.shape.begin() + 1, tensor.shape.end()),
          tensor.data.sub(i * row_bytes, row_bytes)};
}

Tensor JaggedTensor::row(size_t i) const {
  const size_t item_bytes = dtype_size(values.dtype);
  const auto begin = static_cast<size_t>(offsets[i]) * item_bytes;
  const auto end = static_cast<size_t>(offsets[i + 1]) * item_bytes;
  return {values.dtype, shapes[i], values.data.sub(begin, end - begin)};
}

Column Column::dense(Tensor tensor) {
  if (tensor.shape.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "a 0-d tensor has no rows; a column is a tensor [N, ...] of N rows");
  }
  check_tensor(tensor);
  return Column(std::move(tensor));
}

Column Column::jagged(JaggedTensor tensor) {
  const auto fits = [&](size_t i) {
    return !has_negative(tensor.shapes[i]) &&
           tensor.offsets[i + 1] - tensor.offsets[i] == element_count(tensor.shapes[i]);
  };
  bool whole = tensor.offsets.size() == tensor.rows() + 1 && tensor.offsets[0] == 0 &&
               tensor.values.shape == Shape{tensor.offsets.back()};
  for (size_t i = 0; whole && i < tensor.rows(); ++i) whole = fits(i);
  if (!whole) {
    throw Error(ErrorCode::kInvalidArgument,
                "the offsets, shapes and values of a jagged tensor do not fit each other: N shapes "
                "need N + 1 element offsets from 0 to the number of values");
  }
  check_tensor(tensor.values);
  return Column(std::move(tensor));
}

size_t Column::size() const noexcept {
  if (const Tensor* tensor = std::get_if<Tensor>(&data_)) {
    return static_cast<size_t>(tensor->shape[0]);
  }
  if (const auto* jagged = std::get_if<JaggedTensor>(&data_)) return jagged->rows();
  if (const auto* rows = std::get_if<std::vector<Tensor>>(&data_)) return rows->size();
  return std::get<std::vector<Value>>(data_).size();
}

const Tensor& Column::tensor() const {
  if (const Tensor* tensor = std::get_if<Tensor>(&data_)) return *tensor;
  throw Error(ErrorCode::kWrongType, "the column is not dense; Column::to_dense may make it so");
}

const std::vector<Value>& Column::values() const {
  if (const auto* values = std::get_if<std::vector<Value>>(&data_)) return *values;
  throw Error(ErrorCode::kWrongType, "the column holds tensors, not values");
}

Value Column::row(size_t i) const {
  if (const auto* values = std::get_if<std::vector<Value>>(&data_)) return (*values)[i];
  return row_tensor(i);
}

Tensor Column::row_tensor(size_t i) const {
  if (const Tensor* tensor = std::get_if<Tensor>(&data_)) return row_of(*tensor, i);
  if (const auto* jagged = std::get_if<JaggedTensor>(&data_)) return jagged->row(i);
  if (const auto* rows = std::get_if<std::vector<Tensor>>(&data_)) return (*rows)[i];
  throw Error(ErrorCode::kWrongType, "the column holds values, not tensors");
}

Column Column::slice(size_t begin, size_t end) const {
  check_range(begin, end, size());
  return std::visit([&](const auto& rows) { return Column(Data(part_of(rows, begin, end))); },
                    data_);
}

bool Column::has_one_dtype() const {
  const auto* rows = std::get_if<std::vector<Tensor>>(&data_);
  if (rows == nullptr) return is_tensor();
  return std::all_of(rows->begin(), rows->end(),
                     [&](const Tensor& row) { return row.dtype == rows->front().dtype; });
}

bool Column::is_uniform() const {
  if (const auto* jagged = std::get_if<JaggedTensor>(&data_)) {
    return std::all_of(jagged->shapes.begin(), jagged->shapes.end(),
                       [&](const Shape& shape) { return shape == jagged->shapes[0]; });
  }
  const auto* rows = std::get_if<std::vector<Tensor>>(&data_);
  if (rows == nullptr) return kind() == Kind::kDense;
  return std::all_of(rows->begin(), rows->end(), [&](const Tensor& row) {
    return row.dtype == rows->front().dtype && row.shape == rows->front().shape;
  });
}

std::vector<Tensor> Column::row_tensors() const {
  if (const auto* rows = std::get_if<std::vector<Tensor>>(&data_)) return *rows;
  std::vector<Tensor> rows;
  rows.reserve(size());
  for (size_t i = 0; i < size(); ++i) rows.push_back(row_tensor(i));
  return rows;
}

Column Column::to_dense() const {
  if (kind() == Kind::kDense) return *this;
  if (kind() == Kind::kValues || size() == 0 || !is_uniform()) {
    throw Error(ErrorCode::kInvalidArgument,
                "the column's rows are not tensors of one dtype and shape; Column::to_jagged takes "
                "rows of different shapes");
  }
  const std::vector<Tensor> rows = row_tensors();
  Shape shape = rows[0].shape;
  shape.insert(shape.begin(), static_cast<int64_t>(rows.size()));
  return Column(Tensor{rows[0].dtype, std::move(shape), gathered(rows)});
}

JaggedTensor Column::to_jagged() const {
  if (const auto* jagged = std::get_if<JaggedTensor>(&data_)) return *jagged;
  const std::vector<Tensor> rows = row_tensors();
  const DType dtype = rows.empty() ? DType::float32 : rows[0].dtype;
  JaggedTensor jagged;
  jagged.offsets.push_back(0);
  for (const Tensor& row : rows) {
    if (row.dtype != dtype) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("the column has rows of dtype {} and of {}", dtype_name(dtype),
                              dtype_name(row.dtype)));
    }
    jagged.offsets.push_back(jagged.offsets.back() + element_count(row.shape));
    jagged.shapes.push_back(row.shape);
  }
  Slice data = kind() == Kind::kDense ? tensor().data : gathered(rows);
  jagged.values = Tensor{dtype, Shape{jagged.offsets.back()}, std::move(data)};
  return jagged;
}

Batch::Batch(std::initializer_list<std::pair<std::string, Column>> columns) {
  for (const auto& [name, column] : columns) set(name, column);
}

void Batch::set(std::string name, Column column) {
  const auto place = std::find_if(columns_.begin(), columns_.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  const bool alone = columns_.empty() || (columns_.size() == 1 && place != columns_.end());
  if (!alone && column.size() != size()) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("column '{}' has {} rows, but '{}' has {}; all must have the same",
                            name, column.size(), columns_[0].first, size()));
  }
  if (place != columns_.end()) {
    place->second = std::move(column);
  } else {
    columns_.emplace_back(std::move(name), std::move(column));
  }
}

Batch Batch::slice(size_t begin, size_t end) const {
  check_range(begin, end, size());
  Batch part;
  for (const auto& [name, column] : columns_) {
    part.columns_.emplace_back(name, column.slice(begin, end));
  }
  return part;
}

const Column* Batch::find(std::string_view name) const noexcept {
  for (const auto& [known, column] : columns_) {
    if (known == name) return &column;
  }
  return nullptr;
}

const Column& Batch::at(std::string_view name) const {
  if (const Column* column = find(name)) return *column;
  std::vector<std::string_view> names;
  for (const auto& [known, column] : columns_) names.push_back(known);
  throw Error(ErrorCode::kNotFound, fmt::format("there is no column '{}'; the batch has [{}]", name,
                                                fmt::join(names, ", ")));
}

}  // namespace tq
