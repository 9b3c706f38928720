// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "transfer_queue/error.h"
#include "transfer_queue/value.h"

namespace tq {

/// Rows of different shapes in one buffer: what torch calls a jagged tensor, for which its C++ API
/// has no type. Row i is `values[offsets[i] : offsets[i + 1]]` (in elements), of shape `shapes[i]`.
struct JaggedTensor {
  Tensor values;                 ///< 1-d, all rows one after the other
  std::vector<int64_t> offsets;  ///< N + 1 element offsets, from 0
  std::vector<Shape> shapes;     ///< N row shapes

  /// N.
  size_t rows() const noexcept { return shapes.size(); }
  /// Row i, sharing the buffer.
  Tensor row(size_t i) const;
};

/// Row i of a tensor [N, ...], sharing its memory. Requires i < N.
Tensor row_of(const Tensor& tensor, size_t i);

/// One field of a batch, row by row. Four kinds:
///   dense   a Tensor [N, ...], N >= 0
///   jagged  rows of different shapes in one buffer
///   rows    a Tensor for each row, of any shapes, where each lies (no copy was made)
///   values  any Value for each row: text, dicts, bytes, None, tensors inside objects
/// Copies are shallow: payloads are shared and immutable. Thread-safe as any value is.
class Column {
 public:
  /// Which of the four.
  enum class Kind { kDense, kJagged, kRows, kValues };

  /// A column of values without rows.
  Column() : data_(std::vector<Value>{}) {}
  /// Throws Error(kInvalidArgument) for a 0-d tensor, which has no rows, and for one whose bytes do
  /// not match its dtype and shape.
  static Column dense(Tensor tensor);
  /// A Tensor for each row, of any shapes and dtypes.
  static Column rows(std::vector<Tensor> rows) { return Column(std::move(rows)); }
  /// Any Value for each row.
  static Column values(std::vector<Value> values) { return Column(std::move(values)); }
  /// Throws Error(kInvalidArgument) when offsets, shapes and values do not fit each other.
  static Column jagged(JaggedTensor tensor);

  /// Which of the four it is.
  Kind kind() const noexcept { return static_cast<Kind>(data_.index()); }
  /// Whether its rows are tensors: every kind but values.
  bool is_tensor() const noexcept { return kind() != Kind::kValues; }
  /// Rows.
  size_t size() const noexcept;

  /// The [N, ...] tensor of a dense column; throws Error(kWrongType) for another kind.
  const Tensor& tensor() const;
  /// The values of a column of values; throws Error(kWrongType) for another kind.
  const std::vector<Value>& values() const;
  /// Row i as a Value, whatever the kind. Requires i < size().
  Value row(size_t i) const;
  /// Row i of a column of tensors. Requires i < size(); throws Error(kWrongType) for values.
  Tensor row_tensor(size_t i) const;
  /// Rows begin to end - 1, of the same kind, sharing the payloads. Throws Error(kInvalidArgument)
  /// unless begin <= end <= size().
  Column slice(size_t begin, size_t end) const;

  /// Whether the rows are tensors of one dtype, so that they fit a jagged tensor.
  bool has_one_dtype() const;
  /// Whether the rows are tensors of one dtype and shape, so that they fit a dense tensor.
  bool is_uniform() const;
  /// A dense column of the same rows, gathered into one buffer (a dense one is returned as it is).
  /// Throws Error(kInvalidArgument) when the rows are not uniform.
  Column to_dense() const;
  /// All rows in one buffer (those of a dense or jagged column are there already, and are not
  /// copied). Throws Error(kInvalidArgument) when their dtypes differ.
  JaggedTensor to_jagged() const;

 private:
  using Data = std::variant<Tensor, JaggedTensor, std::vector<Tensor>, std::vector<Value>>;
  explicit Column(Data data) : data_(std::move(data)) {}
  std::vector<Tensor> row_tensors() const;

  Data data_;
};

/// Columns of the same number of rows, in the order in which they were added.
class Batch {
 public:
  /// Without columns.
  Batch() = default;
  /// Columns by name; throws as set() does.
  Batch(std::initializer_list<std::pair<std::string, Column>> columns);

  /// Adds or replaces a column. Throws Error(kInvalidArgument) naming both lengths when it has
  /// another number of rows than the others.
  void set(std::string name, Column column);
  /// Throws Error(kNotFound) naming the columns that are there.
  const Column& at(std::string_view name) const;
  /// nullptr when there is none of that name.
  const Column* find(std::string_view name) const noexcept;
  /// Rows begin to end - 1 of each column, as Column::slice gives them.
  Batch slice(size_t begin, size_t end) const;

  /// Whether it has no columns.
  bool empty() const noexcept { return columns_.empty(); }
  /// Rows; 0 without columns.
  size_t size() const noexcept { return columns_.empty() ? 0 : columns_[0].second.size(); }
  /// Name and column, in order.
  const std::vector<std::pair<std::string, Column>>& columns() const noexcept { return columns_; }

 private:
  std::vector<std::pair<std::string, Column>> columns_;
};

}  // namespace tq
