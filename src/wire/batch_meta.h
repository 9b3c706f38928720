// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wire/pickle_writer.h"
#include "wire/value.h"

namespace tq::wire {

/// Metadata of one field in a BatchMeta: the dict `{dtype, shape, is_nested, is_non_tensor[,
/// per_sample_shapes]}` of upstream.
struct FieldSchema {
  Value dtype;                  // nil, a PyObject global `torch float32`, or opaque
  std::optional<Shape> shape;   // of one row; nothing when nested or not a tensor
  bool shape_is_tuple = false;  // upstream's form after a nested column became uniform
  std::optional<bool> is_nested;
  std::optional<bool> is_non_tensor;
  /// In batch order, nothing where unknown; absent unless the column is nested.
  std::optional<std::vector<std::optional<Shape>>> per_sample_shapes;
};

/// `transfer_queue.metadata.BatchMeta`: which samples, which fields, what is known of them.
/// Per-sample vectors have the length of global_indexes.
struct BatchMeta {
  std::vector<int64_t> global_indexes;
  std::vector<std::string> partition_ids;  // one a sample, or a single one that holds for all
  std::vector<std::pair<std::string, FieldSchema>> field_schema;
  std::vector<int8_t> production_status;   // 1 where every requested field is produced
  std::vector<Value> custom_meta;          // tags: a Map each; nil stands for {}
  std::vector<Value> custom_backend_meta;  // a Map each; nil stands for {}

  /// Python's is_ready: not empty and every production_status is 1.
  bool is_ready() const noexcept;
};

/// The pickle of a BatchMeta as all releases of Python TransferQueue load it: all ten slots, in
/// their order. The bytes are the payload of an ext 1.
std::string pickle_batch_meta(const BatchMeta& meta);

}  // namespace tq::wire
