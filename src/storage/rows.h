// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ssd/segment.h"
#include "wire/encode.h"
#include "wire/value.h"

namespace tq::storage {

/// One row as a tensor, where it lies. Valid until the Rows that it came from are destroyed.
struct TensorRow {
  wire::DType dtype;
  std::span<const int64_t> shape;
  const std::byte* data;
  size_t size;
  const std::shared_ptr<const void>* owner;
};

/// Where a row lies that is not in memory, and its payload. Valid as TensorRow is.
struct SsdPlace {
  const ssd::Segment* segment;
  ssd::Extent extent;
  size_t payload_bytes;
};

/// The rows that one put brought for one field, addressed by position 0 to count() - 1. Holds
/// payloads as slices of the frames that they came in. Shared, so that who reads them elsewhere
/// can hold them. Not thread-safe.
class Rows : public std::enable_shared_from_this<Rows> {
 public:
  Rows() = default;
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  virtual ~Rows() = default;

  virtual size_t count() const noexcept = 0;
  /// What one row is counted with: its payload, for values of no fixed form also their nodes.
  virtual size_t bytes_at(size_t position) const noexcept = 0;
  /// What all rows keep from being freed, dropped ones included: the sum of bytes_at() before the
  /// first drop_at().
  virtual size_t held_bytes() const noexcept = 0;
  /// Writes one row as a value of a list.
  virtual void write_at(size_t position, wire::Encoder& encoder) const = 0;
  /// Writes rows as a column that cut_column() cuts into the same rows. Requires at least one.
  virtual void write_column(std::span<const uint32_t> positions, wire::Encoder& encoder) const = 0;
  /// The row if it is a tensor.
  virtual std::optional<TensorRow> tensor_at(size_t) const noexcept { return std::nullopt; }
  /// Where the row lies if that is an SSD; storage/ssd_rows.h.
  virtual std::optional<SsdPlace> ssd_at(size_t) const noexcept { return std::nullopt; }
  /// Frees what this row alone holds. It is not asked for again.
  virtual void drop_at(size_t) noexcept {}
  /// New Rows of the rows at these positions, holding none of the memory shared with the others.
  virtual std::unique_ptr<Rows> kept(std::span<const uint32_t> positions) const = 0;
};

/// Rows of one dtype and shape, one after the other in one buffer: a dense column.
class DenseRows final : public Rows {
 public:
  /// A torch dtype, or a numpy dtype string: the rows are tensors, or arrays (scalars when 0-d).
  using Element = std::variant<wire::DType, std::string>;

  /// `shape` is one row's. Requires data.size to be a multiple of count, count > 0.
  DenseRows(Element element, wire::Shape shape, wire::Slice data, size_t count);

  size_t count() const noexcept override { return count_; }
  size_t bytes_at(size_t) const noexcept override { return row_bytes_; }
  size_t held_bytes() const noexcept override { return data_.size; }
  void write_at(size_t position, wire::Encoder& encoder) const override;
  void write_column(std::span<const uint32_t> positions, wire::Encoder& encoder) const override;
  std::optional<TensorRow> tensor_at(size_t position) const noexcept override;
  std::unique_ptr<Rows> kept(std::span<const uint32_t> positions) const override;

 private:
  Element element_;
  wire::Shape shape_;
  wire::Slice data_;
  size_t count_;
  size_t row_bytes_;
};

/// Small tensors of one dtype and number of dimensions, each of its own shape, in one buffer.
class RaggedRows final : public Rows {
 public:
  /// Copies the tensors. Requires at least one, all of one dtype and number of dimensions.
  explicit RaggedRows(std::span<const wire::Tensor* const> tensors);

  size_t count() const noexcept override { return ends_.size(); }
  size_t bytes_at(size_t position) const noexcept override {
    return ends_[position] - begin_of(position);
  }
  size_t held_bytes() const noexcept override { return data_.size; }
  void write_at(size_t position, wire::Encoder& encoder) const override;
  void write_column(std::span<const uint32_t> positions, wire::Encoder& encoder) const override;
  std::optional<TensorRow> tensor_at(size_t position) const noexcept override;
  std::unique_ptr<Rows> kept(std::span<const uint32_t> positions) const override;

 private:
  RaggedRows() = default;
  size_t begin_of(size_t position) const noexcept {
    return position == 0 ? 0 : ends_[position - 1];
  }
  std::span<const int64_t> shape_of(size_t position) const noexcept;

  wire::DType dtype_{};
  size_t dimensions_ = 0;
  std::vector<int64_t> shapes_;  // dimensions_ numbers a row
  std::vector<size_t> ends_;     // offset past each row in data_
  wire::Slice data_;
};

/// Any values, each by itself: strings, dicts, arrays, and tensors too large to be copied.
class ValueRows final : public Rows {
 public:
  explicit ValueRows(wire::Array values);

  size_t count() const noexcept override { return values_.size(); }
  size_t bytes_at(size_t position) const noexcept override;
  size_t held_bytes() const noexcept override { return held_bytes_; }
  void write_at(size_t position, wire::Encoder& encoder) const override;
  void write_column(std::span<const uint32_t> positions, wire::Encoder& encoder) const override;
  std::optional<TensorRow> tensor_at(size_t position) const noexcept override;
  void drop_at(size_t position) noexcept override;
  std::unique_ptr<Rows> kept(std::span<const uint32_t> positions) const override;

 private:
  wire::Array values_;
  size_t held_bytes_ = 0;
};

/// A TensorDict cut by row: each row is a TensorDict of its entries' rows.
class TensorDictRows final : public Rows {
 public:
  using Entries = std::vector<std::pair<std::string, std::unique_ptr<Rows>>>;

  /// `batch_tail` is the batch size without its first dimension, `count`. Every entry has `count`
  /// rows.
  TensorDictRows(wire::Shape batch_tail, size_t count, Entries entries);

  size_t count() const noexcept override { return count_; }
  size_t bytes_at(size_t position) const noexcept override;
  size_t held_bytes() const noexcept override;
  void write_at(size_t position, wire::Encoder& encoder) const override;
  void write_column(std::span<const uint32_t> positions, wire::Encoder& encoder) const override;
  void drop_at(size_t position) noexcept override;
  std::unique_ptr<Rows> kept(std::span<const uint32_t> positions) const override;

 private:
  wire::Shape batch_tail_;
  size_t count_;
  Entries entries_;
};

}  // namespace tq::storage
