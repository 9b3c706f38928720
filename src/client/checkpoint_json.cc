// SPDX-License-Identifier: Apache-2.0
#include "client/checkpoint_json.h"

#include <fmt/format.h>

#include "runtime/whole_file.h"
#include "transfer_queue/error.h"

namespace tq::client {
namespace {

using Json = nlohmann::ordered_json;

Json object_of(const Map& map) {
  Json object = Json::object();
  for (const auto& [key, value] : map) {
    const auto* name = key.get_if<std::string>();
    if (name == nullptr) {
      throw Error(ErrorCode::kWrongType,
                  fmt::format("the metadata of a checkpoint is JSON, whose keys are str, not {}",
                              key.kind_name()));
    }
    object[*name] = to_json(value);
  }
  return object;
}

}  // namespace

Json to_json(const Value& value) {
  if (value.is_nil()) return nullptr;
  if (const auto* truth = value.get_if<bool>()) return *truth;
  if (const auto* number = value.get_if<int64_t>()) return *number;
  if (const auto* number = value.get_if<uint64_t>()) return *number;
  if (const auto* number = value.get_if<double>()) return *number;
  if (const auto* text = value.get_if<std::string>()) return *text;
  if (const auto* map = value.get_if<Map>()) return object_of(*map);
  if (const auto* items = value.get_if<Array>()) {
    Json list = Json::array();
    for (const Value& item : *items) list.push_back(to_json(item));
    return list;
  }
  throw Error(ErrorCode::kWrongType,
              fmt::format("the metadata of a checkpoint is JSON, which has no {}; put it into a "
                          "column instead",
                          value.kind_name()));
}

Value from_json(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_unsigned()) return json.get<uint64_t>();
  if (json.is_number_integer()) return json.get<int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_array()) {
    Array items;
    for (const Json& item : json) items.push_back(from_json(item));
    return items;
  }
  if (!json.is_object()) return {};
  Map map;
  for (const auto& [key, value] : json.items()) map.emplace_back(key, from_json(value));
  return map;
}

Json read_json(const std::filesystem::path& file) {
  const std::string text = runtime::read_file(file);
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) {
    throw Error(ErrorCode::kDecode, fmt::format("{} is no JSON", file.string()));
  }
  return json;
}

void write_json(const std::filesystem::path& file, const Json& json) {
  std::string text;
  try {
    text = json.dump(2);
  } catch (const Json::exception& error) {  // text that is no UTF-8
    throw Error(ErrorCode::kWrongType, fmt::format("{}: {}", file.string(), error.what()));
  }
  runtime::write_file(file, text + "\n");
}

}  // namespace tq::client
