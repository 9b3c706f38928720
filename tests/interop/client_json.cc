// SPDX-License-Identifier: Apache-2.0
#include "interop/client_json.h"

#include <stdexcept>

#include "support/from_canonical.h"

namespace tq::test {
namespace {

JaggedTensor jagged_from(const Json& json) {
  JaggedTensor jagged;
  jagged.values = tensor_from_canonical(json.at("values"));
  jagged.offsets = json.at("offsets").get<std::vector<int64_t>>();
  jagged.shapes = json.at("shapes").get<std::vector<Shape>>();
  return jagged;
}

}  // namespace

Column column_from(const Json& json) {
  const std::string kind = json.at("kind");
  if (kind == "dense") return Column::dense(tensor_from_canonical(json.at("tensor")));
  if (kind == "jagged") return Column::jagged(jagged_from(json));
  if (kind == "rows") {
    std::vector<Tensor> rows;
    for (const Json& row : json.at("rows")) rows.push_back(tensor_from_canonical(row));
    return Column::rows(std::move(rows));
  }
  if (kind != "values") throw std::invalid_argument("no kind of column: " + kind);
  std::vector<Value> values;
  for (const Json& row : json.at("rows")) values.push_back(from_canonical(row));
  return Column::values(std::move(values));
}

Json json_of(const Column& column) {
  if (column.kind() == Column::Kind::kDense) {
    return {{"kind", "dense"}, {"tensor", canonical(Value(column.tensor()))}};
  }
  if (column.kind() == Column::Kind::kJagged) {
    const JaggedTensor jagged = column.to_jagged();
    return {{"kind", "jagged"},
            {"values", canonical(Value(jagged.values))},
            {"offsets", jagged.offsets},
            {"shapes", jagged.shapes}};
  }
  Json rows = Json::array();
  for (size_t i = 0; i < column.size(); ++i) rows.push_back(canonical(column.row(i)));
  const bool tensors = column.kind() == Column::Kind::kRows;
  return {{"kind", tensors ? "rows" : "values"}, {"rows", std::move(rows)}};
}

Batch batch_from(const Json& json) {
  Batch batch;
  for (const Json& entry : json) batch.set(entry.at(0), column_from(entry.at(1)));
  return batch;
}

Json json_of(const Batch& batch) {
  Json json = Json::object();
  for (const auto& [name, column] : batch.columns()) json[name] = json_of(column);
  return json;
}

KVBatchMeta meta_from(const Json& json) {
  KVBatchMeta meta;
  meta.keys = json.at("keys").get<std::vector<std::string>>();
  for (const Json& tag : json.at("tags")) meta.tags.push_back(from_canonical(tag));
  meta.partition_id = json.at("partition_id");
  meta.fields = json.at("fields").get<std::vector<std::string>>();
  if (json.contains("extra_info")) meta.extra_info = *tag_from(json.at("extra_info"));
  return meta;
}

Json json_of(const KVBatchMeta& meta) {
  Json tags = Json::array();
  for (const Value& tag : meta.tags) tags.push_back(canonical(tag));
  return {{"keys", meta.keys},
          {"tags", std::move(tags)},
          {"partition_id", meta.partition_id},
          {"fields", meta.fields},
          {"extra_info", canonical(Value(meta.extra_info))}};
}

Json json_of(const KVListing& listing) {
  Json json = Json::array();
  for (const auto& [partition, keys] : listing) {
    Json entries = Json::array();
    for (const auto& [key, tag] : keys) entries.push_back(Json::array({key, canonical(tag)}));
    json.push_back(Json::array({partition, std::move(entries)}));
  }
  return json;
}

Json json_of(const Error& error) {
  Json json = {{"code", python_name(error.code())}, {"message", error.what()}};
  if (const auto* partial = dynamic_cast<const PartialPutError*>(&error)) {
    json["rows_not_stored"] = partial->rows_not_stored();
  }
  return json;
}

std::vector<std::string> names(const Json& command, const char* key) {
  return command.value(key, std::vector<std::string>());
}

std::optional<Map> tag_from(const Json& json) {
  if (json.is_null()) return std::nullopt;
  const Value tag = from_canonical(json);
  if (tag.get_if<Map>() == nullptr) throw std::invalid_argument("a tag is a map");
  return *tag.get_if<Map>();
}

}  // namespace tq::test
