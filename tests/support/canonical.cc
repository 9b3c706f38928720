// SPDX-License-Identifier: Apache-2.0
#include "support/canonical.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "wire/pickle_reader.h"

namespace tq::test {
std::string base64(std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < count ? static_cast<uint8_t>(bytes[i + k]) : 0U);
    }
    for (size_t k = 0; k < 4; ++k) {
      text += k <= count ? kDigits[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return text;
}

namespace {

using namespace tq::wire;

Json shape_json(const Shape& shape) {
  Json json = Json::array();
  for (int64_t dimension : shape) json.push_back(dimension);
  return json;
}

Json tensor_json(const Tensor& t) {
  return {{"$tensor",
           {{"dtype", dtype_name(t.dtype)},
            {"shape", shape_json(t.shape)},
            {"data", base64(t.data.view())}}}};
}

Json list_json(const Array& items) {
  Json json = Json::array();
  for (const Value& item : items) json.push_back(canonical(item));
  return json;
}

Json map_json(const Map& map) {
  const bool text_keys = std::all_of(map.begin(), map.end(), [](const auto& entry) {
    return entry.first.template get_if<std::string>() != nullptr;
  });
  if (!text_keys) {
    Json pairs = Json::array();
    for (const auto& [key, value] : map) {
      pairs.push_back(Json::array({canonical(key), canonical(value)}));
    }
    return {{"$map", pairs}};
  }
  Json json = Json::object();
  for (const auto& [key, value] : map) json[*key.get_if<std::string>()] = canonical(value);
  if (!json.contains("__tq_tensordict__")) return json;
  return {{"$tensordict", {{"batch_size", json["batch_size"]}, {"data", json["data"]}}}};
}

// "i8" of a pickled numpy dtype -> "int64".
std::string numpy_dtype_name(const Value& dtype) {
  const PyObject* call = dtype.get_if<PyObject>();
  const std::string code = *call->args.at(0).get_if<std::string>();
  const std::string bits = std::to_string(8 * std::atoi(code.c_str() + 1));
  switch (code[0]) {
    case 'i':
      return "int" + bits;
    case 'u':
      return "uint" + bits;
    case 'f':
      return "float" + bits;
    case 'c':
      return "complex" + bits;
    case 'b':
      return "bool";
    default:
      return code;
  }
}

template <class T>
T load(const std::string& bytes) {
  T v;
  std::memcpy(&v, bytes.data(), sizeof v);
  return v;
}

Json numpy_scalar_json(const PyObject& call) {
  const std::string dtype = numpy_dtype_name(call.args.at(0));
  const std::string& raw = call.args.at(1).get_if<Bytes>()->bytes;
  Value value;
  if (dtype == "float32") value = Value(static_cast<double>(load<float>(raw)));
  if (dtype == "float64") value = Value(load<double>(raw));
  if (dtype == "int64") value = Value(load<int64_t>(raw));
  if (dtype == "int32") value = Value(static_cast<int64_t>(load<int32_t>(raw)));
  if (dtype == "bool") value = Value(raw[0] != 0);
  return {{"$npscalar", {{"dtype", dtype}, {"value", canonical(value)}}}};
}

Json numpy_array_json(const Value& data, const Value& dtype, const Value& shape) {
  // An array of objects has a list of them where others have bytes.
  if (data.get_if<Bytes>() == nullptr) return {{"$opaque", "an array of objects"}};
  Json dimensions = Json::array();
  for (const Value& item : shape.get_if<Tuple>()->items) dimensions.push_back(canonical(item));
  return {{"$ndarray",
           {{"dtype", numpy_dtype_name(dtype)},
            {"shape", dimensions},
            {"data", base64(data.get_if<Bytes>()->bytes)}}}};
}

Json batch_meta_json(const PyObject& object) {
  static constexpr const char* kSlots[] = {
      "global_indexes", "partition_ids",        "field_schema", "production_status", "extra_info",
      "custom_meta",    "_custom_backend_meta", "_size",        "_field_names",      "_is_ready"};
  Json slots = Json::object();
  const Array& state = object.state.at(0).get_if<Tuple>()->items;
  for (size_t i = 0; i < std::size(kSlots); ++i) slots[kSlots[i]] = canonical(state.at(i));
  return {{"$batchmeta", slots}};
}

Json object_json(const PyObject& o) {
  const bool call = o.kind == PyObject::Kind::kCall;
  if (o.kind == PyObject::Kind::kGlobal && o.module == "torch")
    return {{"$dtype", "torch." + o.name}};
  if (o.is("transfer_queue.metadata", "BatchMeta")) return batch_meta_json(o);
  if (call && o.name == "scalar") return numpy_scalar_json(o);
  if (call && o.name == "_frombuffer") {
    return numpy_array_json(o.args.at(0), o.args.at(1), o.args.at(2));
  }
  if (call && o.name == "_reconstruct") {  // state: (version, shape, dtype, fortran, bytes)
    const Array& state = o.state.at(0).get_if<Tuple>()->items;
    return numpy_array_json(state.at(4), state.at(2), state.at(1));
  }
  return {{"$object", o.module + " " + o.name}};
}

Json opaque_json(const Opaque& opaque) {
  if (opaque.ext_type == 2) return {{"$callable", nullptr}};
  try {
    return canonical(read_pickle(opaque.payload.view(), Limits{}));
  } catch (const Error& error) {
    return {{"$opaque", error.what()}};
  }
}

// Two's complement, little-endian -> decimal, by repeated division; as JSON text since it may be
// larger than any JSON number type of the library.
Json big_int_json(const BigInt& big) {
  bool negative = (big.bytes.back() & '\x80') != 0;
  std::string magnitude = big.bytes;
  if (negative) {
    int carry = 1;
    for (char& c : magnitude) {
      const int v = (~static_cast<uint8_t>(c) & 0xFF) + carry;
      c = static_cast<char>(v);
      carry = v >> 8;
    }
  }
  std::string digits;
  while (std::any_of(magnitude.begin(), magnitude.end(), [](char c) { return c != 0; })) {
    int remainder = 0;
    for (size_t i = magnitude.size(); i-- > 0;) {
      const int v = remainder << 8 | static_cast<uint8_t>(magnitude[i]);
      magnitude[i] = static_cast<char>(v / 10);
      remainder = v % 10;
    }
    digits.insert(digits.begin(), static_cast<char>('0' + remainder));
  }
  // The library reads a number too large for 64 bits as a double; so does `same` on the other side.
  return Json::parse((negative ? "-" : "") + (digits.empty() ? "0" : digits));
}

struct Canonical {
  Json operator()(std::monostate) const { return nullptr; }
  Json operator()(bool v) const { return v; }
  Json operator()(int64_t v) const { return v; }
  Json operator()(uint64_t v) const { return v; }
  Json operator()(double v) const { return {{"$float", fmt::format("{}", v)}}; }
  Json operator()(const std::string& v) const { return v; }
  Json operator()(const std::shared_ptr<const Bytes>& v) const {
    return {{"$bytes", base64(v->bytes)}};
  }
  Json operator()(const Array& v) const { return list_json(v); }
  Json operator()(const Map& v) const { return map_json(v); }
  Json operator()(const std::shared_ptr<const Tensor>& v) const { return tensor_json(*v); }
  Json operator()(const std::shared_ptr<const NestedTensor>& v) const {
    Json tensors = Json::array();
    for (const Tensor& t : v->tensors) tensors.push_back(tensor_json(t));
    return {{"$nested", {{"layout", v->jagged ? "jagged" : "strided"}, {"tensors", tensors}}}};
  }
  Json operator()(const std::shared_ptr<const NdArray>& v) const {
    return {
        {"$ndarray",
         {{"dtype", v->dtype}, {"shape", shape_json(v->shape)}, {"data", base64(v->data.view())}}}};
  }
  Json operator()(const std::shared_ptr<const Opaque>& v) const { return opaque_json(*v); }
  Json operator()(const std::shared_ptr<const Tuple>& v) const {
    return {{"$tuple", list_json(v->items)}};
  }
  Json operator()(const std::shared_ptr<const Set>& v) const {
    return {{"$set", list_json(v->items)}};
  }
  Json operator()(const std::shared_ptr<const BigInt>& v) const { return big_int_json(*v); }
  Json operator()(const std::shared_ptr<const SurrogateStr>& v) const {
    // Python's json.dumps writes lone surrogates as \udXXX, which no JSON library reads back.
    return {{"$surrogates", base64(v->bytes)}};
  }
  Json operator()(const std::shared_ptr<const PyObject>& v) const { return object_json(*v); }
};

bool same_float(const std::string& a, const std::string& b) {
  const double x = std::strtod(a.c_str(), nullptr);
  const double y = std::strtod(b.c_str(), nullptr);
  return x == y || (std::isnan(x) && std::isnan(y));
}

}  // namespace

Json canonical(const Value& value) { return std::visit(Canonical{}, value.variant()); }

Json canonical(const Envelope& e) {
  Json receiver = nullptr;
  if (e.receiver_id) receiver = *e.receiver_id;
  return {{"request_type", e.request_type},
          {"sender_id", e.sender_id},
          {"receiver_id", receiver},
          {"request_id", e.request_id},
          {"timestamp", canonical(Value(e.timestamp))},
          {"body", canonical(e.body)}};
}

bool same(const Json& expected, const Json& actual) {
  if (expected.type() != actual.type()) return expected.is_number() && expected == actual;
  if (expected.is_object()) {
    if (expected.size() != actual.size()) return false;
    if (expected.contains("$float") && actual.contains("$float")) {
      return same_float(expected["$float"], actual["$float"]);
    }
    if (expected.contains("$callable")) return actual.contains("$callable");
    return std::all_of(expected.items().begin(), expected.items().end(), [&](const auto& item) {
      return actual.contains(item.key()) && same(item.value(), actual[item.key()]);
    });
  }
  if (expected.is_array()) {
    return expected.size() == actual.size() &&
           std::equal(expected.begin(), expected.end(), actual.begin(), same);
  }
  return expected == actual;
}

}  // namespace tq::test
