// SPDX-License-Identifier: Apache-2.0
#include "manager/landing.h"

#include <algorithm>
#include <optional>

#include "transfer_queue/dtype.h"
#include "transfer_queue/error.h"

namespace tq::manager {
namespace {

// Smaller rows come many to a frame (docs/performance.md, "Frames"), and of smaller columns a copy
// costs less than the plan.
constexpr size_t kRowBytesMin = size_t{16} << 10;
constexpr size_t kColumnBytesMin = size_t{1} << 20;

std::optional<DType> dtype_of(const FieldSchema& schema) {
  const PyObject* object = schema.dtype.get_if<PyObject>();
  if (object == nullptr || object->kind != PyObject::Kind::kGlobal || object->module != "torch") {
    return std::nullopt;
  }
  return dtype_from_name(object->name);
}

// Of row i, if the metadata tells.
const Shape* shape_of(const FieldSchema& schema, size_t i) {
  if (schema.per_sample_shapes) {
    const auto& shapes = *schema.per_sample_shapes;
    return i < shapes.size() && shapes[i] ? &*shapes[i] : nullptr;
  }
  return schema.shape ? &*schema.shape : nullptr;
}

// Offsets of the rows and the end of the last; empty when they are not known.
std::vector<size_t> offsets_of(const FieldSchema& schema, size_t rows) {
  const std::optional<DType> dtype = dtype_of(schema);
  if (!dtype || schema.is_non_tensor.value_or(false)) return {};
  std::vector<size_t> offsets{0};
  offsets.reserve(rows + 1);
  for (size_t i = 0; i < rows; ++i) {
    const Shape* shape = shape_of(schema, i);
    if (shape == nullptr) return {};
    offsets.push_back(offsets.back() +
                      static_cast<size_t>(element_count(*shape)) * dtype_size(*dtype));
  }
  return offsets;
}

bool is_worth_it(const std::vector<size_t>& offsets) {
  if (offsets.size() < 2 || offsets.back() < kColumnBytesMin) return false;
  return offsets.back() / (offsets.size() - 1) >= kRowBytesMin;
}

struct Spot {
  Slice buffer;
  std::byte* start;
};

}  // namespace

Landing::Landing(const BatchMeta& meta, std::vector<std::string> fields) {
  std::vector<std::string> others;
  for (std::string& field : fields) {
    const auto schema = std::find_if(meta.field_schema.begin(), meta.field_schema.end(),
                                     [&](const auto& entry) { return entry.first == field; });
    std::vector<size_t> offsets;
    if (schema != meta.field_schema.end()) offsets = offsets_of(schema->second, meta.size());
    if (!is_worth_it(offsets)) {
      others.push_back(std::move(field));
      continue;
    }
    auto [buffer, start] = Slice::allocate(offsets.back());
    landed_.push_back({std::move(buffer), start, std::move(offsets)});
    fields_.push_back(std::move(field));
  }
  fields_.insert(fields_.end(), others.begin(), others.end());
}

zmtp::Placement Landing::placement_of(const RoutingGroup& group) const {
  std::vector<Spot> spots;  // of the frames after the header, in order
  for (const Field& field : landed_) {
    for (const size_t row : group.batch_positions) {
      const size_t offset = field.offsets[row];
      spots.push_back(
          {field.buffer.sub(offset, field.offsets[row + 1] - offset), field.start + offset});
    }
  }
  if (spots.empty()) return {};
  return [spots = std::move(spots)](size_t frame, size_t size) -> std::pair<Slice, std::byte*> {
    if (frame == 0 || frame > spots.size()) return {};
    const Spot& spot = spots[frame - 1];
    if (spot.buffer.size != size) return {};
    return {spot.buffer, spot.start};
  };
}

}  // namespace tq::manager
