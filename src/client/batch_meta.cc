// SPDX-License-Identifier: Apache-2.0
// The operations of BatchMeta (upstream: transfer_queue.metadata).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "client/meta_parts.h"
#include "manager/put_message.h"
#include "transfer_queue/column.h"
#include "transfer_queue/error.h"
#include "transfer_queue/metadata.h"
#include "wire/value_equal.h"

namespace tq {
namespace {

using client::at;

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ErrorCode::kInvalidArgument, fmt::format(format, std::forward<Args>(args)...));
}

std::vector<size_t> range(size_t begin, size_t end) {
  std::vector<size_t> positions(end - begin);
  std::iota(positions.begin(), positions.end(), begin);
  return positions;
}

// Adds the entries, or replaces those of the same name, as dict.update does.
void update(Map& map, const Map& entries) {
  for (const auto& [key, value] : entries) {
    if (Value* known = client::find_entry(map, key)) {
      *known = value;
    } else {
      map.emplace_back(key, value);
    }
  }
}

Value updated(const Value& value, const Value& entries) {
  const Map* before = value.get_if<Map>();
  const Map* more = entries.get_if<Map>();
  Map map = before != nullptr ? *before : Map{};
  if (more != nullptr) update(map, *more);
  return map;
}

// Of upstream's names that begin with '_', which are no fields, and of these fields.
Value of_fields(const Value& backend_meta, const std::unordered_set<std::string_view>& names) {
  const Map* map = backend_meta.get_if<Map>();
  if (map == nullptr) return backend_meta;
  Map kept;
  for (const auto& [key, value] : *map) {
    const auto* name = key.get_if<std::string>();
    if (name == nullptr || name->starts_with('_') || names.contains(*name)) {
      kept.emplace_back(key, value);
    }
  }
  return kept;
}

std::vector<std::string> all_partition_ids(const BatchMeta& meta) {
  std::vector<std::string> ids;
  for (size_t i = 0; i < meta.size(); ++i) ids.push_back(meta.partition_of(i));
  return ids;
}

void set_field(BatchMeta& meta, std::string_view name, FieldSchema schema) {
  for (auto& [known, field] : meta.field_schema) {
    if (known != name) continue;
    field = std::move(schema);
    return;
  }
  meta.field_schema.emplace_back(name, std::move(schema));
}

FieldSchema schema_of(wire::FieldUpdate update) {
  FieldSchema schema;
  schema.dtype = std::move(update.dtype);
  schema.shape = std::move(update.shape);
  schema.is_nested = update.is_nested;
  schema.is_non_tensor = update.is_non_tensor;
  if (!update.per_sample_shapes) return schema;
  schema.per_sample_shapes.emplace();
  for (auto& [index, shape] : *update.per_sample_shapes) {
    schema.per_sample_shapes->push_back(std::move(shape));
  }
  return schema;
}

void check_same_fields(std::span<const BatchMeta* const> parts) {
  const std::vector<std::string> names = parts[0]->field_names();
  for (size_t i = 1; i < parts.size(); ++i) {
    if (parts[i]->field_names() != names) {
      fail("parts to concat must have the same fields: part 0 has [{}], part {} has [{}]",
           fmt::join(names, ", "), i, fmt::join(parts[i]->field_names(), ", "));
    }
    for (const auto& [name, field] : parts[0]->field_schema) {
      if (!wire::equal(field.dtype, parts[i]->find_field(name)->dtype)) {
        fail("field '{}' has another dtype in part {} than in part 0", name, i);
      }
    }
  }
}

bool has_shapes(const FieldSchema* field) {
  return field != nullptr && field->per_sample_shapes && !field->per_sample_shapes->empty();
}

FieldSchema concat_field(std::string_view name, std::span<const BatchMeta* const> parts) {
  const FieldSchema& first = *parts[0]->find_field(name);
  FieldSchema merged;
  merged.dtype = first.dtype;
  merged.is_non_tensor = first.is_non_tensor.value_or(false);
  bool is_nested = false;
  bool any_shapes = false;
  for (const BatchMeta* part : parts) {
    const FieldSchema* field = part->find_field(name);
    is_nested = is_nested || (field != nullptr && field->is_nested.value_or(false));
    any_shapes = any_shapes || has_shapes(field);
  }
  merged.is_nested = is_nested;
  if (!is_nested) {
    merged.shape = first.shape;
    merged.shape_is_tuple = first.shape_is_tuple;
  }
  if (!is_nested && !any_shapes) return merged;
  auto& shapes = merged.per_sample_shapes.emplace();
  for (const BatchMeta* part : parts) {
    const FieldSchema* field = part->find_field(name);
    if (has_shapes(field)) {
      shapes.insert(shapes.end(), field->per_sample_shapes->begin(),
                    field->per_sample_shapes->end());
    } else {
      shapes.insert(shapes.end(), part->size(), field != nullptr ? field->shape : std::nullopt);
    }
  }
  return merged;
}

}  // namespace

int64_t SampleView::global_index() const { return meta_->global_indexes[position_]; }
const std::string& SampleView::partition_id() const { return meta_->partition_of(position_); }
bool SampleView::is_produced() const { return meta_->production_status[position_] == 1; }
const Value& SampleView::custom_meta() const { return meta_->custom_meta[position_]; }

std::optional<Shape> SampleView::shape(std::string_view field) const {
  const FieldSchema* schema = meta_->find_field(field);
  if (schema == nullptr) {
    throw Error(ErrorCode::kNotFound, fmt::format("there is no field '{}'; the metadata has [{}]",
                                                  field, fmt::join(meta_->field_names(), ", ")));
  }
  return schema->per_sample_shapes ? (*schema->per_sample_shapes)[position_] : schema->shape;
}

std::vector<std::string> BatchMeta::field_names() const {
  std::vector<std::string> names;
  for (const auto& [name, field] : field_schema) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

const FieldSchema* BatchMeta::find_field(std::string_view name) const noexcept {
  for (const auto& [known, field] : field_schema) {
    if (known == name) return &field;
  }
  return nullptr;
}

BatchMeta BatchMeta::select_samples(std::span<const size_t> positions) const {
  client::check_positions(positions, size());
  BatchMeta chosen;
  chosen.global_indexes = at(global_indexes, positions);
  for (const size_t position : positions) chosen.partition_ids.push_back(partition_of(position));
  chosen.field_schema = field_schema;
  for (auto& [name, field] : chosen.field_schema) {
    if (field.per_sample_shapes) field.per_sample_shapes = at(*field.per_sample_shapes, positions);
  }
  chosen.production_status = at(production_status, positions);
  chosen.custom_meta = at(custom_meta, positions);
  chosen.custom_backend_meta = at(custom_backend_meta, positions);
  chosen.extra_info = extra_info;
  return chosen;
}

BatchMeta BatchMeta::slice(size_t begin, size_t end) const {
  if (begin > end || end > size()) {
    fail("positions {} to {} are out of range: the metadata has {} samples", begin, end, size());
  }
  return select_samples(range(begin, end));
}

BatchMeta BatchMeta::select_fields(const std::vector<std::string>& names) const {
  BatchMeta chosen = *this;
  chosen.field_schema.clear();
  for (const std::string& name : names) {
    if (const FieldSchema* field = find_field(name)) set_field(chosen, name, *field);
  }
  const std::unordered_set<std::string_view> wanted(names.begin(), names.end());
  for (Value& value : chosen.custom_backend_meta) value = of_fields(value, wanted);
  return chosen;
}

BatchMeta BatchMeta::with_data_fields(const Batch& data) const {
  if (data.empty() || data.size() == 0) return *this;
  if (data.size() != size()) {
    fail("the columns have {} rows, but the metadata names {} samples", data.size(), size());
  }
  BatchMeta with = *this;
  for (auto& [name, update] : manager::field_schema(data, global_indexes)) {
    set_field(with, name, schema_of(std::move(update)));
  }
  with.production_status.assign(size(), 1);
  return with;
}

BatchMeta BatchMeta::with_custom_meta(const std::vector<Map>& entries) const {
  if (entries.size() != size()) {
    fail("there are {} tags for {} samples; give one a sample", entries.size(), size());
  }
  BatchMeta with = *this;
  for (size_t i = 0; i < size(); ++i) with.custom_meta[i] = updated(custom_meta[i], entries[i]);
  return with;
}

std::vector<BatchMeta> BatchMeta::chunk(size_t chunks) const {
  std::vector<BatchMeta> parts;
  for (const auto& [begin, end] : client::chunk_bounds(size(), chunks)) {
    parts.push_back(slice(begin, end));
  }
  return parts;
}

std::vector<BatchMeta> BatchMeta::chunk_by_partition() const {
  std::vector<std::vector<size_t>> groups;
  std::unordered_map<std::string_view, size_t> places;
  for (size_t i = 0; i < size(); ++i) {
    const auto [place, is_new] = places.emplace(partition_of(i), groups.size());
    if (is_new) groups.emplace_back();
    groups[place->second].push_back(i);
  }
  std::vector<BatchMeta> parts;
  parts.reserve(groups.size());
  for (const std::vector<size_t>& positions : groups) parts.push_back(select_samples(positions));
  return parts;
}

BatchMeta BatchMeta::reorder(std::span<const size_t> positions) const {
  client::check_order(positions, size());
  return select_samples(positions);
}

BatchMeta BatchMeta::merged_with(const BatchMeta& other) const {
  if (other.size() == 0) return *this;
  if (size() == 0) return other;
  if (global_indexes != other.global_indexes) {
    fail("metadata of different samples cannot be merged: the global_indexes differ");
  }
  if (all_partition_ids(*this) != all_partition_ids(other)) {
    fail("metadata of different partitions cannot be merged");
  }
  BatchMeta merged = *this;
  for (const auto& [name, field] : other.field_schema) set_field(merged, name, field);
  for (size_t i = 0; i < size(); ++i) {
    const int both = merged.production_status[i] & other.production_status[i];
    merged.production_status[i] = static_cast<int8_t>(both);
    merged.custom_meta[i] = updated(custom_meta[i], other.custom_meta[i]);
    merged.custom_backend_meta[i] = updated(custom_backend_meta[i], other.custom_backend_meta[i]);
  }
  update(merged.extra_info, other.extra_info);
  return merged;
}

BatchMeta BatchMeta::concat(std::span<const BatchMeta> all, bool validate) {
  std::vector<const BatchMeta*> parts;
  for (const BatchMeta& part : all) {
    if (part.size() > 0) parts.push_back(&part);
  }
  if (parts.empty()) return {};
  if (validate) check_same_fields(parts);
  BatchMeta whole;
  for (const auto& [name, field] : parts[0]->field_schema) {
    whole.field_schema.emplace_back(name, concat_field(name, parts));
  }
  const auto append = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  for (size_t i = 0; i < parts.size(); ++i) {
    append(whole.global_indexes, parts[i]->global_indexes);
    append(whole.partition_ids, all_partition_ids(*parts[i]));
    append(whole.production_status, parts[i]->production_status);
    append(whole.custom_meta, parts[i]->custom_meta);
    append(whole.custom_backend_meta, parts[i]->custom_backend_meta);
    client::merge_extra_info(whole.extra_info, parts[i]->extra_info, i);
  }
  return whole;
}

}  // namespace tq
