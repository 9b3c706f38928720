// SPDX-License-Identifier: Apache-2.0
#include "cli/json_value.h"

#include <fmt/format.h>

#include "cli/tensor_elements.h"
#include "transfer_queue/error.h"

namespace tq::cli {
namespace {

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < count ? static_cast<uint8_t>(bytes[i + k]) : 0);
    }
    for (size_t k = 0; k < 4; ++k) {
      text += k <= count ? kDigits[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return text;
}

// "[json.exception.parse_error.101] parse error at line 1 ..." without the part in brackets.
std::string without_tag(std::string_view message) {
  const size_t end = message.find("] ");
  return std::string(end == std::string_view::npos ? message : message.substr(end + 2));
}

Json list_of(const Array& items) {
  Json list = Json::array();
  for (const Value& item : items) list.push_back(to_json(item));
  return list;
}

Json object_of(const Map& map) {
  Json object = Json::object();
  for (const auto& [key, value] : map) {
    const std::string* text = key.get_if<std::string>();
    object[text != nullptr ? *text : to_json(key).dump()] = to_json(value);
  }
  return object;
}

// Elements from `index` on as nested lists of the dimensions from `axis` on.
Json nested_lists(const Tensor& tensor, size_t axis, size_t& index) {
  if (axis == tensor.shape.size()) return element_of(tensor, index++);
  Json list = Json::array();
  for (int64_t i = 0; i < tensor.shape[axis]; ++i) {
    list.push_back(nested_lists(tensor, axis + 1, index));
  }
  return list;
}

struct ToJson {
  Json operator()(std::monostate) const { return nullptr; }
  Json operator()(bool v) const { return v; }
  Json operator()(int64_t v) const { return v; }
  Json operator()(uint64_t v) const { return v; }
  Json operator()(double v) const { return number_json(v); }
  Json operator()(const std::string& v) const { return v; }
  Json operator()(const Array& v) const { return list_of(v); }
  Json operator()(const Map& v) const { return object_of(v); }
  Json operator()(const std::shared_ptr<const Bytes>& v) const {
    return {{"$bytes", base64(v->bytes)}};
  }
  Json operator()(const std::shared_ptr<const Tensor>& v) const { return to_json(*v); }
  Json operator()(const std::shared_ptr<const NestedTensor>& v) const {
    Json rows = Json::array();
    for (const Tensor& row : v->tensors) rows.push_back(to_json(row));
    return {{"$nested", rows}};
  }
  Json operator()(const std::shared_ptr<const NdArray>& v) const {
    return {{"$ndarray", v->dtype}, {"shape", v->shape}, {"bytes", base64(v->data.view())}};
  }
  Json operator()(const std::shared_ptr<const Opaque>& v) const {
    return {{"$pickle", base64(v->payload.view())}};
  }
  Json operator()(const std::shared_ptr<const Tuple>& v) const { return list_of(v->items); }
  Json operator()(const std::shared_ptr<const Set>& v) const {
    return {{"$set", list_of(v->items)}};
  }
  Json operator()(const std::shared_ptr<const BigInt>& v) const {
    return {{"$int", base64(v->bytes)}};
  }
  Json operator()(const std::shared_ptr<const SurrogateStr>& v) const {
    return {{"$bytes", base64(v->bytes)}};
  }
  Json operator()(const std::shared_ptr<const PyObject>& v) const {
    return {{"$object", v->module + "." + v->name}};
  }
};

}  // namespace

Json parse_json(const std::string& text, const std::string& what) {
  try {
    return Json::parse(text);
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} is no JSON: {}", what, without_tag(error.what())));
  }
}

Value to_value(const Json& json) {
  switch (json.type()) {
    case Json::value_t::boolean:
      return json.get<bool>();
    case Json::value_t::number_integer:
      return json.get<int64_t>();
    case Json::value_t::number_unsigned:
      return json.get<uint64_t>();
    case Json::value_t::number_float:
      return json.get<double>();
    case Json::value_t::string:
      return json.get<std::string>();
    case Json::value_t::array: {
      Array items;
      for (const Json& item : json) items.push_back(to_value(item));
      return items;
    }
    case Json::value_t::object: {
      Map map;
      for (const auto& [key, item] : json.items()) map.emplace_back(key, to_value(item));
      return map;
    }
    default:
      return {};
  }
}

Json to_json(const Value& value) { return std::visit(ToJson{}, value.variant()); }

Json to_json(const Tensor& tensor) {
  size_t index = 0;
  return {{"dtype", std::string(dtype_name(tensor.dtype))},
          {"shape", tensor.shape},
          {"data", nested_lists(tensor, 0, index)}};
}

std::string json_text(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace tq::cli
