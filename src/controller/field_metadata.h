// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "controller/index_set.h"
#include "controller/sample_shapes.h"
#include "wire/limits.h"
#include "wire/messages.h"

namespace tq::controller {

/// What a partition knows of one field: dtype and shape, shared by all samples that have it, and a
/// shape for each of them once they differ ("nested"). Forgets everything when its last sample is
/// cleared. docs/differences.md lists where this departs from upstream's FieldMeta.
class FieldMetadata {
 public:
  /// Checks one field of a NOTIFY_DATA_UPDATE for `rows`. Throws Error naming the field when its
  /// parts do not fit together. Does not look at what is known already.
  static void validate(std::string_view field, const wire::FieldUpdate& update,
                       const IndexSet& rows, const wire::Limits& limits);

  /// Takes in a valid update. A dtype other than the one known is a conflict: then nothing changes
  /// and the result says what differs. (The samples are produced all the same, as upstream has it.)
  std::optional<std::string> update(const wire::FieldUpdate& update, const IndexSet& rows);

  /// Forgets these samples, whether they have the field or not. A nested field whose remaining
  /// samples are of one shape is not nested afterwards.
  void remove_samples(const IndexSet& rows);

  /// Whether any sample has the field.
  bool empty() const noexcept { return rows_.empty(); }

  /// The samples that have it.
  const IndexSet& rows() const noexcept { return rows_; }

  /// For checkpoints. from_value() throws Error for a value whose parts do not fit.
  wire::Value to_value() const;
  static FieldMetadata from_value(wire::Value& map, const wire::Limits& limits);

  /// Payload of the samples that have the field, by dtype and shape; nothing where it is no tensor
  /// or the dtype is none of torch's.
  std::optional<uint64_t> tensor_bytes() const;

  /// The field as a BatchMeta of these samples shows it.
  wire::FieldSchema to_batch_schema(std::span<const int64_t> batch) const;

 private:
  void register_first(const wire::FieldUpdate& update);
  void update_nested(const wire::FieldUpdate& update);
  void update_regular(const wire::FieldUpdate& update, const IndexSet& rows);
  void become_nested();
  void set_shapes(const wire::FieldUpdate& update);

  IndexSet rows_;
  wire::Value dtype_;
  std::optional<wire::Shape> shape_;
  bool shape_is_tuple_ = false;  // upstream's type of the shape, which a client sees
  bool is_nested_ = false;
  bool is_non_tensor_ = false;
  SampleShapes sample_shapes_;
};

}  // namespace tq::controller
