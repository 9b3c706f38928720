// SPDX-License-Identifier: Apache-2.0
#include "controller/field_metadata.h"

#include <fmt/format.h>

#include <algorithm>

#include "controller/detach.h"
#include "transfer_queue/error.h"
#include "wire/encode.h"

namespace tq::controller {
namespace {

using wire::FieldUpdate;
using wire::Value;

[[noreturn]] void fail(ErrorCode code, std::string_view field, std::string_view part,
                       const std::string& why) {
  throw Error(code, fmt::format("body.field_schema.{}.{} {}", field, part, why));
}

void check_shape(std::string_view field, std::string_view part, const wire::Shape& shape,
                 const wire::Limits& limits) {
  if (shape.size() > limits.dimensions_max) {
    fail(ErrorCode::kLimit, field, part,
         fmt::format("has {} dimensions; the limit is {}", shape.size(), limits.dimensions_max));
  }
}

double value_count(const wire::Shape& shape) {
  double count = 1;
  for (int64_t size : shape) count *= static_cast<double>(size);
  return count;
}

// Equal as Python would have it: what is the same on the wire.
bool same_dtype(const Value& a, const Value& b) {
  const auto* a_name = a.get_if<wire::PyObject>();
  const auto* b_name = b.get_if<wire::PyObject>();
  if (a_name != nullptr && b_name != nullptr && a_name->kind == wire::PyObject::Kind::kGlobal &&
      b_name->kind == wire::PyObject::Kind::kGlobal) {
    return a_name->is(b_name->module, b_name->name);
  }
  const wire::Frames a_frames = wire::encode_value(a);
  const wire::Frames b_frames = wire::encode_value(b);
  if (a_frames.size() != b_frames.size()) return false;
  for (size_t i = 0; i < a_frames.size(); ++i) {
    if (a_frames[i].view() != b_frames[i].view()) return false;
  }
  return true;
}

std::string describe(const Value& dtype) {
  if (const auto* object = dtype.get_if<wire::PyObject>()) {
    return fmt::format("{}.{}", object->module, object->name);
  }
  if (const auto* text = dtype.get_if<std::string>()) return *text;
  return std::string(dtype.kind_name());
}

}  // namespace

void FieldMetadata::validate(std::string_view field, const FieldUpdate& update,
                             const IndexSet& rows, const wire::Limits& limits) {
  const bool nested = update.is_nested.value_or(false);
  if (nested && !update.per_sample_shapes) {
    fail(ErrorCode::kInvalidArgument, field, "per_sample_shapes",
         "must be there, for the field is nested");
  }
  if (!nested && !update.is_non_tensor.value_or(false) && !update.shape) {
    fail(ErrorCode::kInvalidArgument, field, "shape",
         "must be there, for the field is a regular tensor");
  }
  if (update.shape) check_shape(field, "shape", *update.shape, limits);
  if (!update.per_sample_shapes) return;
  for (const auto& [index, shape] : *update.per_sample_shapes) {
    if (index < 0 || !rows.contains(index)) {
      fail(ErrorCode::kInvalidArgument, field, "per_sample_shapes",
           fmt::format("has a shape for index {}, which is not in body.global_indexes", index));
    }
    check_shape(field, "per_sample_shapes", shape, limits);
  }
}

std::optional<std::string> FieldMetadata::update(const FieldUpdate& update, const IndexSet& rows) {
  if (rows.empty()) return std::nullopt;
  if (empty()) {
    register_first(update);
  } else {
    if (!dtype_.is_nil() && !update.dtype.is_nil() && !same_dtype(dtype_, update.dtype)) {
      return fmt::format("its dtype is {}, not {}", describe(dtype_), describe(update.dtype));
    }
    if (dtype_.is_nil()) dtype_ = detach(update.dtype);
    if (update.is_nested.value_or(false)) {
      update_nested(update);
    } else if (!update.is_non_tensor.value_or(false)) {
      update_regular(update, rows);
    }
  }
  rows_.add(rows);
  return std::nullopt;
}

void FieldMetadata::register_first(const FieldUpdate& update) {
  dtype_ = detach(update.dtype);
  shape_ = update.shape;  // of the first sample when nested, as upstream keeps it
  is_nested_ = update.is_nested.value_or(false);
  is_non_tensor_ = update.is_non_tensor.value_or(false);
  if (is_nested_) set_shapes(update);
}

void FieldMetadata::update_nested(const FieldUpdate& update) {
  if (!is_nested_) become_nested();
  set_shapes(update);
}

// Rows of one shape after rows that are no tensors change nothing: upstream takes such a column for
// a non-tensor one.
void FieldMetadata::update_regular(const FieldUpdate& update, const IndexSet& rows) {
  if (!is_nested_) {
    if (is_non_tensor_ || shape_ == update.shape) return;
    become_nested();
  }
  rows.for_each([&](int64_t index) { sample_shapes_.set(index, *update.shape); });
}

// Rows of a non-tensor column have no shape to note down.
void FieldMetadata::become_nested() {
  if (shape_) {
    rows_.for_each([&](int64_t index) { sample_shapes_.set(index, *shape_); });
  }
  is_nested_ = true;
  shape_.reset();
  shape_is_tuple_ = false;
}

void FieldMetadata::set_shapes(const FieldUpdate& update) {
  for (const auto& [index, shape] : *update.per_sample_shapes) sample_shapes_.set(index, shape);
}

void FieldMetadata::remove_samples(const IndexSet& rows) {
  rows_.remove(rows);
  if (rows_.empty()) {
    *this = FieldMetadata();
    return;
  }
  if (!is_nested_) return;
  rows.for_each([&](int64_t index) { sample_shapes_.erase(index); });
  if (const wire::Shape* shape = sample_shapes_.only_one()) {
    is_nested_ = false;
    shape_ = *shape;
    shape_is_tuple_ = true;
    sample_shapes_.clear();
  }
}

std::optional<uint64_t> FieldMetadata::tensor_bytes() const {
  const auto* object = dtype_.get_if<wire::PyObject>();
  if (is_non_tensor_ || object == nullptr || object->module != "torch") return std::nullopt;
  const auto dtype = wire::dtype_from_name(object->name);
  if (!dtype) return std::nullopt;
  double values = 0;
  if (is_nested_) {
    sample_shapes_.for_each_shape([&](const wire::Shape& shape, size_t rows) {
      values += value_count(shape) * static_cast<double>(rows);
    });
  } else if (shape_) {
    values = value_count(*shape_) * static_cast<double>(rows_.size());
  } else {
    return std::nullopt;
  }
  // What a peer claims may be past any number: a metric is a float in any case.
  constexpr double kMax = 9e18;
  return static_cast<uint64_t>(
      std::min(values * static_cast<double>(wire::dtype_size(*dtype)), kMax));
}

wire::FieldSchema FieldMetadata::to_batch_schema(std::span<const int64_t> batch) const {
  wire::FieldSchema schema;
  schema.dtype = dtype_;
  schema.shape = shape_;
  schema.shape_is_tuple = shape_is_tuple_;
  schema.is_nested = is_nested_;
  schema.is_non_tensor = is_non_tensor_;
  if (is_nested_ && !sample_shapes_.empty()) {
    auto& shapes = schema.per_sample_shapes.emplace();
    shapes.reserve(batch.size());
    for (int64_t index : batch) {
      const wire::Shape* shape = sample_shapes_.find(index);
      shapes.push_back(shape != nullptr ? std::optional(*shape) : std::nullopt);
    }
  }
  return schema;
}

}  // namespace tq::controller
