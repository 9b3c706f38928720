// SPDX-License-Identifier: Apache-2.0
// FieldMetadata in a checkpoint.
#include <fmt/format.h>

#include "controller/field_metadata.h"
#include "controller/saved.h"

namespace tq::controller {

using wire::Map;
using wire::Value;

wire::Value FieldMetadata::to_value() const {
  Map map{{"rows", saved::index_set(rows_)},   {"dtype", dtype_},
          {"shape_is_tuple", shape_is_tuple_}, {"is_nested", is_nested_},
          {"is_non_tensor", is_non_tensor_},   {"shapes", sample_shapes_.to_value()}};
  if (shape_) map.emplace_back("shape", wire::Array(shape_->begin(), shape_->end()));
  return map;
}

FieldMetadata FieldMetadata::from_value(Value& map, const wire::Limits& limits) {
  FieldMetadata metadata;
  metadata.rows_ = saved::take_index_set(map, "rows", limits);
  metadata.shape_is_tuple_ = saved::take<bool>(map, "shape_is_tuple", limits);
  metadata.is_nested_ = saved::take<bool>(map, "is_nested", limits);
  metadata.is_non_tensor_ = saved::take<bool>(map, "is_non_tensor", limits);
  metadata.sample_shapes_ = SampleShapes::from_value(saved::at(map, "shapes"), limits);
  // dtype and shape as a NOTIFY_DATA_UPDATE has them, with its checks.
  const wire::Path path{nullptr, "metadata", std::nullopt};
  Map schema{{"dtype", std::move(saved::at(map, "dtype"))}};
  if (Value* shape = map.find("shape")) schema.emplace_back("shape", std::move(*shape));
  wire::FieldUpdate update;
  Value schema_value(std::move(schema));
  wire::unpack_field(schema_value, path, limits, update);
  metadata.dtype_ = std::move(update.dtype);
  metadata.shape_ = std::move(update.shape);
  if (metadata.shape_ && metadata.shape_->size() > limits.dimensions_max) {
    saved::fail(fmt::format("a shape has {} dimensions", metadata.shape_->size()));
  }
  if (!metadata.sample_shapes_.is_of(metadata.rows_)) {
    saved::fail("there are shapes of samples that do not have the field");
  }
  return metadata;
}

// Each shape once, and for each sample which one it has.
wire::Value SampleShapes::to_value() const {
  std::vector<int64_t> ordinals(uses_.size(), -1);
  wire::Array shapes;
  std::vector<int64_t> indexes;
  std::vector<int64_t> of_index;
  ids_.for_each([&](int64_t index, uint32_t id) {
    if (ordinals[id] < 0) {
      const wire::Shape& shape = uses_[id].shape->first;
      ordinals[id] = static_cast<int64_t>(shapes.size());
      shapes.emplace_back(wire::Array(shape.begin(), shape.end()));
    }
    indexes.push_back(index);
    of_index.push_back(ordinals[id]);
  });
  return Map{{"shapes", std::move(shapes)},
             {"indexes", saved::numbers(indexes)},
             {"of_index", saved::numbers(of_index)}};
}

SampleShapes SampleShapes::from_value(Value& map, const wire::Limits& limits) {
  const auto shapes = saved::take<std::vector<wire::Shape>>(map, "shapes", limits);
  const std::vector<int64_t> indexes = saved::take_numbers(map, "indexes");
  const std::vector<int64_t> of_index = saved::take_numbers(map, "of_index");
  if (indexes.size() != of_index.size()) saved::fail("there are not as many shapes as samples");
  for (const wire::Shape& shape : shapes) {
    if (shape.size() > limits.dimensions_max) {
      saved::fail(fmt::format("a shape has {} dimensions", shape.size()));
    }
  }
  SampleShapes result;
  for (size_t i = 0; i < indexes.size(); ++i) {
    const bool known = of_index[i] >= 0 && static_cast<size_t>(of_index[i]) < shapes.size();
    if (indexes[i] < 0 || indexes[i] > limits.global_index_max || !known) {
      saved::fail(
          fmt::format("sample {} has shape {}, which is not there", indexes[i], of_index[i]));
    }
    result.set(indexes[i], shapes[static_cast<size_t>(of_index[i])]);
  }
  return result;
}

bool SampleShapes::is_of(const IndexSet& rows) const {
  bool all = true;
  ids_.for_each([&](int64_t index, uint32_t) { all = all && rows.contains(index); });
  return all;
}

}  // namespace tq::controller
