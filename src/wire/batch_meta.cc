// SPDX-License-Identifier: Apache-2.0
#include "wire/batch_meta.h"

#include <algorithm>

namespace tq::wire {
namespace {

void write_optional(PickleWriter& w, const std::optional<bool>& v) {
  v.has_value() ? w.boolean(*v) : w.none();
}

void write_shapes(PickleWriter& w, const std::vector<std::optional<Shape>>& shapes) {
  w.empty_list();
  w.mark();
  for (const auto& shape : shapes) shape.has_value() ? w.shape_list(*shape) : w.none();
  w.appends();
}

void write_field(PickleWriter& w, const FieldSchema& field) {
  w.empty_dict();
  w.mark();
  w.text("dtype");
  w.value(field.dtype);
  w.text("shape");
  if (!field.shape.has_value()) {
    w.none();
  } else if (field.shape_is_tuple) {
    w.shape_tuple(*field.shape);
  } else {
    w.shape_list(*field.shape);
  }
  w.text("is_nested");
  write_optional(w, field.is_nested);
  w.text("is_non_tensor");
  write_optional(w, field.is_non_tensor);
  if (field.per_sample_shapes.has_value()) {
    w.text("per_sample_shapes");
    write_shapes(w, *field.per_sample_shapes);
  }
  w.set_items();
}

void write_schema(PickleWriter& w, const BatchMeta& meta) {
  w.empty_dict();
  w.mark();
  for (const auto& [name, field] : meta.field_schema) {
    w.text(name);
    write_field(w, field);
  }
  w.set_items();
}

// An int8 array by numpy.core.multiarray._reconstruct, the one name that numpy 1 and 2 both load
// without a warning, and whose result is writable.
void write_int8_array(PickleWriter& w, const std::vector<int8_t>& values) {
  w.global("numpy.core.multiarray", "_reconstruct");
  w.mark();
  w.global("numpy", "ndarray");
  w.shape_tuple({0});
  w.bytes("b");
  w.tuple();
  w.reduce();
  w.mark();
  w.integer(1);  // version of the state
  w.shape_tuple({static_cast<int64_t>(values.size())});
  w.global("numpy", "dtype");
  w.mark();
  w.text("i1");
  w.boolean(false);
  w.boolean(true);
  w.tuple();
  w.reduce();
  w.mark();
  w.integer(3);  // version of the dtype's state
  w.text("|");
  for (int i = 0; i < 3; ++i) w.none();
  w.integer(-1);
  w.integer(-1);
  w.integer(0);
  w.tuple();
  w.build();
  w.boolean(false);  // not in Fortran order
  w.bytes({reinterpret_cast<const char*>(values.data()), values.size()});
  w.tuple();
  w.build();
}

void write_dicts(PickleWriter& w, const std::vector<Value>& dicts) {
  w.empty_list();
  w.mark();
  for (const Value& dict : dicts) {
    if (dict.is_nil()) {
      w.empty_dict();
    } else {
      w.value(dict);
    }
  }
  w.appends();
}

void write_names(PickleWriter& w, const std::vector<std::string>& names) {
  w.empty_list();
  w.mark();
  for (const std::string& name : names) w.text(name);
  w.appends();
}

// A name that holds for all samples is written once and referred to: a long one times many samples
// would be a reply of any size.
void write_partition_ids(PickleWriter& w, const BatchMeta& meta) {
  if (meta.partition_ids.size() != 1) return write_names(w, meta.partition_ids);
  w.empty_list();
  w.mark();
  for (size_t i = 0; i < meta.global_indexes.size(); ++i) {
    i == 0 ? w.memoized_text(meta.partition_ids[0]) : w.memoized();
  }
  w.appends();
}

std::vector<std::string> sorted_field_names(const BatchMeta& meta) {
  std::vector<std::string> names;
  names.reserve(meta.field_schema.size());
  for (const auto& [name, field] : meta.field_schema) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

std::string pickle_batch_meta(const BatchMeta& meta) {
  PickleWriter w;
  w.global("transfer_queue.metadata", "BatchMeta");
  w.empty_tuple();
  w.new_object();
  // The state: all ten __slots__ in their order. A slot left out would stay unset without a word.
  w.mark();
  w.shape_list(meta.global_indexes);
  write_partition_ids(w, meta);
  write_schema(w, meta);
  write_int8_array(w, meta.production_status);
  w.value(Value(meta.extra_info));
  write_dicts(w, meta.custom_meta);
  write_dicts(w, meta.custom_backend_meta);
  w.integer(static_cast<int64_t>(meta.global_indexes.size()));
  write_names(w, sorted_field_names(meta));
  w.boolean(meta.is_ready());
  w.tuple();
  w.build();
  return std::move(w).finish();
}

}  // namespace tq::wire

namespace tq {

bool BatchMeta::is_ready() const noexcept {
  return !production_status.empty() &&
         std::all_of(production_status.begin(), production_status.end(),
                     [](int8_t status) { return status == 1; });
}

}  // namespace tq
