// SPDX-License-Identifier: Apache-2.0
#include "controller/batch.h"

#include <string_view>
#include <unordered_set>
#include <utility>

namespace tq::controller {
namespace {

void add_known_fields(const Partition& partition, const wire::Names& fields,
                      wire::BatchMeta& meta) {
  std::unordered_set<std::string_view> seen;
  for (const std::string& name : fields) {
    const std::optional<size_t> position = partition.find_field(name);
    if (!position || !seen.insert(name).second) continue;
    const FieldMetadata& metadata = partition.fields()[*position].metadata;
    if (!metadata.empty()) {
      meta.field_schema.emplace_back(name, metadata.to_batch_schema(meta.global_indexes));
    }
  }
}

void add_unknown_fields(const wire::Names& fields, wire::BatchMeta& meta) {
  std::unordered_set<std::string> seen;
  for (const auto& [name, schema] : meta.field_schema) seen.insert(name);
  for (const std::string& name : fields) {
    if (!seen.insert(name).second) continue;
    wire::FieldSchema schema;
    schema.is_nested = false;
    schema.is_non_tensor = false;
    meta.field_schema.emplace_back(name, std::move(schema));
  }
}

std::vector<int8_t> known_production(const Partition& partition, const wire::Indexes& samples,
                                     const wire::Names& fields) {
  std::vector<const IndexSet*> produced;
  for (const std::string& name : fields) {
    const std::optional<size_t> position = partition.find_field(name);
    if (position) produced.push_back(&partition.fields()[*position].produced);
  }
  std::vector<int8_t> status(samples.size(), 0);
  if (produced.empty()) return status;
  IndexSet ready;
  ReadyIndexes(std::move(produced), nullptr).for_each([&](int64_t index) {
    ready.insert(index);
    return true;
  });
  for (size_t i = 0; i < samples.size(); ++i) status[i] = ready.contains(samples[i]) ? 1 : 0;
  return status;
}

std::vector<int8_t> production_status(const Partition& partition, const wire::Indexes& samples,
                                      const wire::Names& fields, Production production) {
  if (production == Production::kAsKnown) return known_production(partition, samples, fields);
  return std::vector<int8_t>(samples.size(), production == Production::kAll ? 1 : 0);
}

wire::Value backend_meta_of(const Partition& partition, int64_t index,
                            const std::unordered_set<std::string_view>& wanted) {
  const wire::Map* known = partition.find_backend_meta(index);
  if (known == nullptr) return {};
  wire::Map entries;
  for (const auto& [name, value] : *known) {
    const auto* text = name.get_if<std::string>();
    if (text != nullptr && wanted.contains(*text)) entries.emplace_back(name, value);
  }
  return entries;
}

}  // namespace

wire::BatchMeta make_batch_meta(const Partition& partition, wire::Indexes samples,
                                const wire::Names& fields, Production production) {
  wire::BatchMeta meta;
  meta.global_indexes = std::move(samples);
  add_known_fields(partition, fields, meta);
  if (production == Production::kNone) add_unknown_fields(fields, meta);
  const wire::Indexes& indexes = meta.global_indexes;
  meta.partition_ids = {partition.id()};  // one for all
  meta.production_status = production_status(partition, indexes, fields, production);
  meta.custom_meta.resize(indexes.size());
  meta.custom_backend_meta.resize(indexes.size());
  const std::unordered_set<std::string_view> wanted(fields.begin(), fields.end());
  for (size_t i = 0; i < indexes.size(); ++i) {
    if (const wire::Value* tag = partition.find_tag(indexes[i])) meta.custom_meta[i] = *tag;
    meta.custom_backend_meta[i] = backend_meta_of(partition, indexes[i], wanted);
  }
  return meta;
}

}  // namespace tq::controller
