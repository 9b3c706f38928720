// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "transfer_queue/value.h"

namespace tq {

/// Metadata of one field in a BatchMeta: the dict `{dtype, shape, is_nested, is_non_tensor[,
/// per_sample_shapes]}` of upstream.
struct FieldSchema {
  Value dtype;                        ///< nil, a PyObject global `torch float32`, or opaque
  std::optional<Shape> shape;         ///< of one row; nothing when nested or not a tensor
  bool shape_is_tuple = false;        ///< upstream's form after a nested column became uniform
  std::optional<bool> is_nested;      ///< rows have shapes of their own
  std::optional<bool> is_non_tensor;  ///< rows are other values than tensors
  /// In batch order, nothing where unknown; absent unless the column is nested.
  std::optional<std::vector<std::optional<Shape>>> per_sample_shapes;
};

class Batch;
struct BatchMeta;

/// One sample of a BatchMeta, which must outlive the view and not change.
class SampleView {
 public:
  /// Requires position < meta.size().
  SampleView(const BatchMeta& meta, size_t position) : meta_(&meta), position_(position) {}

  /// The sample's number at all nodes.
  int64_t global_index() const;
  /// The partition that it is of.
  const std::string& partition_id() const;
  /// Whether every requested field of it is produced.
  bool is_produced() const;
  /// A Map, or nil for {}.
  const Value& custom_meta() const;
  /// Of its row of the field; nothing where unknown or no tensor. Throws Error(kNotFound).
  std::optional<Shape> shape(std::string_view field) const;

 private:
  const BatchMeta* meta_;
  size_t position_;
};

/// Which samples of a partition, which fields of them, and what the controller knows of them:
/// upstream's `BatchMeta`. A plain value; all per-sample vectors have the length of global_indexes.
/// The operations give what upstream's give, as new values, and throw Error(kInvalidArgument) where
/// those raise.
struct BatchMeta {
  std::vector<int64_t> global_indexes;     ///< the samples, in the order of the batch
  std::vector<std::string> partition_ids;  ///< one a sample, or a single one that holds for all
  std::vector<std::pair<std::string, FieldSchema>> field_schema;  ///< by field name
  std::vector<int8_t> production_status;   ///< 1 where every requested field is produced
  std::vector<Value> custom_meta;          ///< tags: a Map each; nil stands for {}
  std::vector<Value> custom_backend_meta;  ///< a Map each; nil stands for {}
  Map extra_info;                          ///< of the whole batch, for its users; keys are str

  /// Samples.
  size_t size() const noexcept { return global_indexes.size(); }
  /// Python's is_ready: not empty and every production_status is 1.
  bool is_ready() const noexcept;
  /// Sorted.
  std::vector<std::string> field_names() const;
  /// nullptr when there is none of that name.
  const FieldSchema* find_field(std::string_view name) const noexcept;
  /// The partition of a sample, also where one holds for all.
  const std::string& partition_of(size_t position) const noexcept {
    return partition_ids[partition_ids.size() == 1 ? 0 : position];
  }
  /// One sample, as a view. Requires position < size().
  SampleView sample(size_t position) const { return {*this, position}; }

  /// The samples at these positions, in that order; a position may come twice.
  BatchMeta select_samples(std::span<const size_t> positions) const;
  /// Positions begin to end - 1.
  BatchMeta slice(size_t begin, size_t end) const;
  /// Those of these fields that are there, in the order asked for.
  BatchMeta select_fields(const std::vector<std::string>& names) const;
  /// With the columns of `data`, as produced: what a put of them makes of it. (Python: add_fields.)
  BatchMeta with_data_fields(const Batch& data) const;
  /// Each sample's custom_meta with these entries added or replaced; one Map a sample.
  BatchMeta with_custom_meta(const std::vector<Map>& entries) const;
  /// Parts of equal sizes, the first ones one larger where they cannot be equal, some empty where
  /// there are more parts than samples.
  std::vector<BatchMeta> chunk(size_t chunks) const;
  /// A part a partition, in order of first appearance.
  std::vector<BatchMeta> chunk_by_partition() const;
  /// The samples in another order: each position once.
  BatchMeta reorder(std::span<const size_t> positions) const;
  /// The fields of both of the same samples; where both have one, the other's. Produced is what is
  /// produced in both. (Python: union.)
  BatchMeta merged_with(const BatchMeta& other) const;
  /// One after the other; empty ones are left out. Unless `validate` is false, all must have the
  /// same fields and dtypes. extra_info of the same key must be equal.
  static BatchMeta concat(std::span<const BatchMeta> parts, bool validate = true);
};

}  // namespace tq
