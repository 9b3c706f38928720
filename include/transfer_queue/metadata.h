// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "transfer_queue/value.h"

namespace tq {

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

/// Which samples of a partition, which fields of them, and what the controller knows of them:
/// upstream's `BatchMeta`. A plain value; all per-sample vectors have the length of global_indexes.
struct BatchMeta {
  std::vector<int64_t> global_indexes;
  std::vector<std::string> partition_ids;  // one a sample, or a single one that holds for all
  std::vector<std::pair<std::string, FieldSchema>> field_schema;
  std::vector<int8_t> production_status;   // 1 where every requested field is produced
  std::vector<Value> custom_meta;          // tags: a Map each; nil stands for {}
  std::vector<Value> custom_backend_meta;  // a Map each; nil stands for {}

  size_t size() const noexcept { return global_indexes.size(); }
  /// Python's is_ready: not empty and every production_status is 1.
  bool is_ready() const noexcept;
};

}  // namespace tq
