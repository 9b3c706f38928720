// SPDX-License-Identifier: Apache-2.0
#include "manager/put_message.h"

#include <algorithm>
#include <cstring>

namespace tq::manager {
namespace {

bool are_adjacent(const std::vector<size_t>& positions) {
  return positions.back() - positions.front() + 1 == positions.size();
}

Shape with_rows(size_t rows, const Shape& shape) {
  Shape result{static_cast<int64_t>(rows)};
  result.insert(result.end(), shape.begin() + 1, shape.end());
  return result;
}

void pack_dense(wire::Encoder& e, const Tensor& tensor, const std::vector<size_t>& positions) {
  const size_t row_bytes = tensor.data.size / static_cast<size_t>(tensor.shape[0]);
  if (are_adjacent(positions)) {
    return e.tensor(tensor.dtype, with_rows(positions.size(), tensor.shape),
                    tensor.data.sub(positions.front() * row_bytes, positions.size() * row_bytes));
  }
  const Shape shape = with_rows(positions.size(), tensor.shape);
  if (row_bytes >= OutMessage::kPieceBytesMin) {
    std::vector<Slice> pieces;
    pieces.reserve(positions.size());
    for (size_t position : positions)
      pieces.push_back(tensor.data.sub(position * row_bytes, row_bytes));
    return e.tensor(tensor.dtype, shape, std::move(pieces));
  }
  auto [gathered, to] = Slice::allocate(positions.size() * row_bytes);
  for (size_t position : positions) {
    if (row_bytes != 0) std::memcpy(to, tensor.data.data + position * row_bytes, row_bytes);
    to += row_bytes;
  }
  e.tensor(tensor.dtype, shape, std::move(gathered));
}

Value dtype_value(DType dtype) {
  return Value(
      PyObject{PyObject::Kind::kGlobal, "torch", std::string(dtype_name(dtype)), {}, {}, {}, {}});
}

// A column of scalars is told to the controller as rows of shape [1], as Python's clients do.
Shape told_shape(const Shape& row) { return row.empty() ? Shape{1} : row; }

wire::FieldUpdate describe(const Column& column, std::span<const int64_t> indexes) {
  wire::FieldUpdate update;
  update.is_nested = false;
  // Python has no tensor of rows of unlike dtypes; there they are a stack of values.
  update.is_non_tensor = !column.has_one_dtype();
  if (*update.is_non_tensor) return update;
  const Tensor first = column.row_tensor(0);
  update.dtype = dtype_value(first.dtype);
  update.shape = told_shape(first.shape);
  // A jagged column is nested also while its rows are alike, as a jagged tensor is in Python.
  if (column.kind() != Column::Kind::kJagged && column.is_uniform()) return update;
  update.is_nested = true;
  update.per_sample_shapes.emplace();
  for (size_t i = 0; i < indexes.size(); ++i) {
    update.per_sample_shapes->emplace_back(indexes[i], column.row_tensor(i).shape);
  }
  return update;
}

}  // namespace

void pack_columns(wire::Encoder& e, const Batch& batch, const RoutingGroup& group) {
  e.map(batch.columns().size());
  for (const auto& [name, column] : batch.columns()) {
    e.str(name);
    if (column.kind() == Column::Kind::kDense) {
      pack_dense(e, column.tensor(), group.batch_positions);
      continue;
    }
    e.array(group.batch_positions.size());
    for (size_t position : group.batch_positions) e.value(column.row(position));
  }
}

std::vector<std::pair<std::string, wire::FieldUpdate>> field_schema(
    const Batch& batch, std::span<const int64_t> indexes) {
  std::vector<std::pair<std::string, wire::FieldUpdate>> schema;
  for (const auto& [name, column] : batch.columns()) {
    schema.emplace_back(name, describe(column, indexes));
  }
  return schema;
}

}  // namespace tq::manager
