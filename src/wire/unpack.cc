// SPDX-License-Identifier: Apache-2.0
#include "wire/unpack.h"

#include <fmt/format.h>

#include <cstring>

#include "wire/pickle_reader.h"

namespace tq::wire {
namespace {

[[noreturn]] void throw_limit(const Path& path, const char* what, size_t got, size_t limit) {
  throw Error(ErrorCode::kLimit,
              fmt::format("{} has {} {}; the limit is {}", path.text(), got, what, limit));
}

int64_t checked_index(int64_t index, const Path& path, const Limits& limits) {
  if (index < 0 || index > limits.global_index_max) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} is {}; it must lie between 0 and {}", path.text(), index,
                            limits.global_index_max));
  }
  return index;
}

// Indexes as an int64 vector: what a tensor or a numpy array of one dimension holds.
bool unpack_int64_vector(std::string_view dtype, const Shape& shape, const Slice& data,
                         const Path& path, const Limits& limits, Indexes& out) {
  if (dtype != "int64" || shape.size() != 1) return false;
  if (data.size != static_cast<size_t>(shape[0]) * sizeof(int64_t)) return false;
  if (static_cast<size_t>(shape[0]) > limits.rows_max) {
    throw_limit(path, "items", static_cast<size_t>(shape[0]), limits.rows_max);
  }
  out.resize(static_cast<size_t>(shape[0]));
  if (!out.empty()) std::memcpy(out.data(), data.data, data.size);
  for (size_t i = 0; i < out.size(); ++i) checked_index(out[i], Path{&path, {}, i}, limits);
  return true;
}

// A torch.dtype arrives as an opaque pickle; what is no plain name stays opaque. A name has two
// texts, so a pickle that would unfold to more is not looked at further.
Value plain_dtype(Value v, Limits limits) {
  const Opaque* opaque = v.get_if<Opaque>();
  if (opaque == nullptr || opaque->ext_type != 1) return v;
  limits.nodes_max = 16;
  try {
    Value name = read_pickle(opaque->payload.view(), limits);
    const PyObject* object = name.get_if<PyObject>();
    return object != nullptr && object->kind == PyObject::Kind::kGlobal ? name : v;
  } catch (const Error&) {
    return v;
  }
}

// Clients load a dtype out of every BatchMeta, so only what is one may get into it.
void check_dtype(const Value& dtype, const Path& path) {
  const PyObject* object = dtype.get_if<PyObject>();
  const bool torch_dtype = object != nullptr && object->kind == PyObject::Kind::kGlobal &&
                           object->module == "torch" && dtype_from_name(object->name);
  if (!dtype.is_nil() && !torch_dtype) throw_wrong_type(path, "a torch dtype or None", dtype);
}

}  // namespace

std::string Path::text() const {
  std::string text = parent != nullptr ? parent->text() : std::string();
  if (!name.empty()) {
    if (!text.empty()) text += '.';
    text += name;
  }
  if (index) text += fmt::format("[{}]", *index);
  return text;
}

void throw_wrong_type(const Path& path, std::string_view wanted, const Value& got) {
  throw Error(ErrorCode::kWrongType,
              fmt::format("{} must be {}, got {}", path.text(), wanted, got.kind_name()));
}

Array& items_of(Value& v, const Path& path, const Limits& limits) {
  Array* items = v.get_mutable_if<Array>();
  if (const Tuple* tuple = v.get_if<Tuple>()) {
    v = Value(Array(tuple->items));
    items = v.get_mutable_if<Array>();
  }
  if (items == nullptr) throw_wrong_type(path, "a list", v);
  if (items->size() > limits.rows_max) throw_limit(path, "items", items->size(), limits.rows_max);
  return *items;
}

Map& entries_of(Value& v, const Path& path, const Limits& limits) {
  Map* entries = v.get_mutable_if<Map>();
  if (entries == nullptr) throw_wrong_type(path, "a dict", v);
  if (entries->size() > limits.rows_max) {
    throw_limit(path, "entries", entries->size(), limits.rows_max);
  }
  return *entries;
}

void unpack_field(Value& v, const Path& path, const Limits&, bool& out) {
  const bool* b = v.get_if<bool>();
  if (b == nullptr) throw_wrong_type(path, "a bool", v);
  out = *b;
}

void unpack_field(Value& v, const Path& path, const Limits&, int64_t& out) {
  const int64_t* i = v.get_if<int64_t>();
  if (i == nullptr) throw_wrong_type(path, "an int of 64 bits", v);
  out = *i;
}

void unpack_field(Value& v, const Path& path, const Limits& limits, std::string& out) {
  std::string* s = v.get_mutable_if<std::string>();
  if (s == nullptr) throw_wrong_type(path, "a str", v);
  if (s->size() > limits.name_bytes_max)
    throw_limit(path, "bytes", s->size(), limits.name_bytes_max);
  out = std::move(*s);
}

void unpack_field(Value& v, const Path&, const Limits&, Value& out) { out = std::move(v); }

void unpack_field(Value& v, const Path& path, const Limits&, Tensor& out) {
  const Tensor* tensor = v.get_if<Tensor>();
  if (tensor == nullptr) throw_wrong_type(path, "a tensor", v);
  out = *tensor;
}

void unpack_field(Value& v, const Path&, const Limits& limits, BatchMeta& out) {
  out = read_batch_meta(v, limits);
}

void unpack_field(Value& v, const Path& path, const Limits& limits, FieldUpdate& out) {
  entries_of(v, path, limits);
  const auto optional = [&](const char* name, auto& target) {
    if (Value* field = v.find(name)) {
      unpack_field(*field, Path{&path, name, std::nullopt}, limits, target);
    }
  };
  optional("dtype", out.dtype);
  out.dtype = plain_dtype(std::move(out.dtype), limits);
  check_dtype(out.dtype, Path{&path, "dtype", std::nullopt});
  optional("shape", out.shape);
  optional("is_nested", out.is_nested);
  optional("is_non_tensor", out.is_non_tensor);
  optional("per_sample_shapes", out.per_sample_shapes);
}

void unpack_field(Value& v, const Path& path, const Limits& limits, Indexes& out) {
  if (const Tensor* t = v.get_if<Tensor>()) {
    if (unpack_int64_vector(dtype_name(t->dtype), t->shape, t->data, path, limits, out)) return;
  }
  if (const NdArray* a = v.get_if<NdArray>()) {
    if (unpack_int64_vector(a->dtype, a->shape, a->data, path, limits, out)) return;
  }
  const Array& items = items_of(v, path, limits);
  out.clear();
  out.reserve(items.size());
  for (size_t i = 0; i < items.size(); ++i) {
    const int64_t* index = items[i].get_if<int64_t>();
    const Path item_path{&path, {}, i};
    if (index == nullptr) throw_wrong_type(item_path, "an int", items[i]);
    out.push_back(checked_index(*index, item_path, limits));
  }
}

namespace internal {

Value* find_in_body(Value& body, const char* name) {
  if (body.get_if<Map>() == nullptr) {
    throw Error(ErrorCode::kWrongType,
                fmt::format("body must be a dict, got {}", body.kind_name()));
  }
  return body.find(name);
}

void throw_missing(std::string_view message_type, const char* name) {
  throw Error(ErrorCode::kMissingKey,
              fmt::format("'{}': a {} message must have this key in its body", name, message_type));
}

}  // namespace internal
}  // namespace tq::wire
