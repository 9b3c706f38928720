// SPDX-License-Identifier: Apache-2.0
// The metadata in each recorded reply of four releases reads as what Python has in it.
#include <map>

#include "support/canonical.h"
#include "support/catch.h"
#include "support/golden.h"
#include "wire/batch_meta.h"
#include "wire/decode.h"

namespace tq::test {
namespace {

// BatchMeta does not tell a list from a tuple or a torch.Size in a shape.
Json without_sequence_types(const Json& json) {
  if (!json.is_structured()) return json;
  if (json.is_object() && json.size() == 1 && (json.contains("$tuple") || json.contains("$size"))) {
    return without_sequence_types(json.begin().value());
  }
  Json plain = json;
  for (Json& item : plain) item = without_sequence_types(item);
  return plain;
}

Json shape_json(const std::optional<Shape>& shape) { return shape ? Json(*shape) : Json(nullptr); }

Json field_json(const FieldSchema& field) {
  Json json = {{"dtype", canonical(field.dtype)}, {"shape", shape_json(field.shape)}};
  if (field.is_nested) json["is_nested"] = *field.is_nested;
  if (field.is_non_tensor) json["is_non_tensor"] = *field.is_non_tensor;
  if (field.per_sample_shapes) {
    json["per_sample_shapes"] = Json::array();
    for (const auto& shape : *field.per_sample_shapes) {
      json["per_sample_shapes"].push_back(shape_json(shape));
    }
  }
  return json;
}

Json tags_json(const std::vector<Value>& tags) {
  Json json = Json::array();
  for (const Value& tag : tags) json.push_back(canonical(tag));
  return json;
}

Json status_json(const std::vector<int8_t>& status) {
  const std::string_view bytes(reinterpret_cast<const char*>(status.data()), status.size());
  const NdArray array{"int8", {static_cast<int64_t>(status.size())}, Slice::copy_of(bytes)};
  return canonical(Value(array));
}

Json names_json(const BatchMeta& meta) {
  std::vector<std::string> names;
  for (const auto& [name, field] : meta.field_schema) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

// The slots that a reply's metadata has, as canonical.py writes them.
Json slots_of(const BatchMeta& meta) {
  Json schema = Json::object();
  for (const auto& [name, field] : meta.field_schema) schema[name] = field_json(field);
  return {{"global_indexes", meta.global_indexes},
          {"partition_ids", meta.partition_ids},
          {"field_schema", schema},
          {"production_status", status_json(meta.production_status)},
          {"extra_info", Json::object()},
          {"custom_meta", tags_json(meta.custom_meta)},
          {"_custom_backend_meta", tags_json(meta.custom_backend_meta)},
          {"_size", meta.size()},
          {"_field_names", names_json(meta)},
          {"_is_ready", meta.is_ready()}};
}

// The recorded slots of a reply with metadata; nothing for other messages.
std::optional<Json> recorded_slots(const GoldenMessage& message) {
  if (message.is_request() || message.json_text.find("$batchmeta") == std::string::npos) {
    return std::nullopt;
  }
  const Json body = Json::parse(message.json_text).at("message").at("body");
  if (!body.contains("metadata") || body["metadata"].is_null()) return std::nullopt;
  return without_sequence_types(body["metadata"].at("$batchmeta"));
}

TEST_CASE("recorded metadata reads as what Python has in it") {
  std::map<std::string, int> by_folder;
  for (const GoldenMessage& message : load_golden()) {
    const std::optional<Json> expected = recorded_slots(message);
    if (!expected) continue;
    INFO(message.name());
    Result<wire::Envelope> reply = wire::decode(message.frames, wire::Limits{});
    const BatchMeta meta = wire::read_batch_meta(*reply->body.find("metadata"), wire::Limits{});
    const Json actual = without_sequence_types(slots_of(meta));
    if (!same(*expected, actual)) {
      FAIL_CHECK("expected " << expected->dump(1) << "\nactual " << actual.dump(1));
    }
    ++by_folder[message.name().substr(0, message.name().find('/'))];
  }
  for (const char* release : {"0.1.6", "0.1.8", "0.1.9", "0.1.11"}) {
    INFO(release);
    CHECK(by_folder[release] >= 30);
  }
}

TEST_CASE("metadata that we write reads back as it was") {
  for (const GoldenMessage& message : load_golden()) {
    if (!recorded_slots(message)) continue;
    INFO(message.name());
    Result<wire::Envelope> reply = wire::decode(message.frames, wire::Limits{});
    const BatchMeta meta = wire::read_batch_meta(*reply->body.find("metadata"), wire::Limits{});
    const std::string pickle = wire::pickle_batch_meta(meta);
    const Value payload(Opaque{1, Slice::copy_of(pickle)});
    const BatchMeta again = wire::read_batch_meta(payload, wire::Limits{});
    CHECK(same(slots_of(meta), slots_of(again)));
  }
}

}  // namespace
}  // namespace tq::test
