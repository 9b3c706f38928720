// SPDX-License-Identifier: Apache-2.0
#include "support/from_canonical.h"

#include <cstdlib>
#include <stdexcept>

namespace tq::test {
namespace {

Shape shape_of(const Json& json) { return json.get<Shape>(); }

Array items_of(const Json& json) {
  Array items;
  for (const Json& item : json) items.push_back(from_canonical(item));
  return items;
}

// The entries of an object with plain names.
Map named(const Json& json) {
  Map map;
  for (const auto& [name, entry] : json.items()) map.emplace_back(name, from_canonical(entry));
  return map;
}

Map pairs(const Json& json) {
  Map map;
  for (const Json& pair : json) {
    map.emplace_back(from_canonical(pair.at(0)), from_canonical(pair.at(1)));
  }
  return map;
}

Tensor tensor(const Json& json) {
  std::string name = json.at("dtype").get<std::string>();
  const auto dtype = dtype_from_name(name);
  if (!dtype) throw std::invalid_argument("no dtype " + name);
  return {*dtype, shape_of(json.at("shape")),
          Slice::own(from_base64(json.at("data").get<std::string>()))};
}

Value nested(const Json& json) {
  NestedTensor value{json.at("layout") == "jagged", {}};
  for (const Json& row : json.at("tensors")) value.tensors.push_back(tensor(row.at("$tensor")));
  return value;
}

Value tensor_dict(const Json& json) {
  return Map{{"__tq_tensordict__", true},
             {"batch_size", from_canonical(json.at("batch_size"))},
             {"data", Value(named(json.at("data")))}};
}

Value dtype_global(const std::string& name) {  // "torch.int8"
  return PyObject{
      PyObject::Kind::kGlobal, "torch", name.substr(name.find('.') + 1), {}, {}, {}, {}};
}

Value tagged(const std::string& tag, const Json& json) {
  if (tag == "$float") return std::strtod(json.get<std::string>().c_str(), nullptr);
  if (tag == "$bytes") return Bytes{from_base64(json.get<std::string>())};
  if (tag == "$surrogates") return SurrogateStr{from_base64(json.get<std::string>())};
  if (tag == "$tuple") return Tuple{items_of(json)};
  if (tag == "$set") return Set{items_of(json)};
  if (tag == "$map") return pairs(json);
  if (tag == "$tensor") return tensor(json);
  if (tag == "$nested") return nested(json);
  if (tag == "$tensordict") return tensor_dict(json);
  if (tag == "$dtype") return dtype_global(json.get<std::string>());
  if (tag == "$ndarray") {
    return NdArray{json.at("dtype").get<std::string>(), shape_of(json.at("shape")),
                   Slice::own(from_base64(json.at("data").get<std::string>()))};
  }
  throw std::invalid_argument("no C++ value of the form " + tag);
}

int digit_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  throw std::invalid_argument("no base64");
}

}  // namespace

std::string from_base64(std::string_view text) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  uint32_t group = 0;
  int bits = 0;
  for (char c : text) {
    group = (group << 6 | static_cast<uint32_t>(digit_of(c))) & 0xFFFF;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<char>(group >> bits & 0xFF));
  }
  return bytes;
}

Tensor tensor_from_canonical(const Json& json) {
  if (!json.is_object() || !json.contains("$tensor")) {
    throw std::invalid_argument("a $tensor is needed here");
  }
  return tensor(json.at("$tensor"));
}

Value from_canonical(const Json& json) {
  if (json.is_null()) return {};
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_unsigned()) return json.get<uint64_t>();
  if (json.is_number_integer()) return json.get<int64_t>();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_array()) return items_of(json);
  if (!json.is_object()) throw std::invalid_argument("a bare float; $float is the form of one");
  if (json.size() == 1 && json.begin().key().starts_with('$')) {
    return tagged(json.begin().key(), json.begin().value());
  }
  return named(json);
}

}  // namespace tq::test
