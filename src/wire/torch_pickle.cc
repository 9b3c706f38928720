// SPDX-License-Identifier: Apache-2.0
#include "wire/torch_pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "transfer_queue/error.h"
#include "wire/ext.h"
#include "wire/pickle_reader.h"

namespace tq::wire {
namespace {

[[noreturn]] void fail(const std::string& message) {
  throw Error(ErrorCode::kDecode, "pickled torch tensor: " + message);
}

struct Storage {
  std::optional<DType> dtype;  // of the storage class; nothing for an untyped one
  Slice bytes;
};

std::optional<DType> storage_dtype(std::string_view class_name) {
  constexpr std::pair<std::string_view, DType> kClasses[] = {
      {"FloatStorage", DType::float32},     {"DoubleStorage", DType::float64},
      {"HalfStorage", DType::float16},      {"BFloat16Storage", DType::bfloat16},
      {"LongStorage", DType::int64},        {"IntStorage", DType::int32},
      {"ShortStorage", DType::int16},       {"CharStorage", DType::int8},
      {"ByteStorage", DType::uint8},        {"BoolStorage", DType::boolean},
      {"ComplexFloatStorage", DType::complex64}, {"ComplexDoubleStorage", DType::complex128},
  };
  for (const auto& [name, dtype] : kClasses) {
    if (name == class_name) return dtype;
  }
  return std::nullopt;
}

// torch.save's format before zip files: the pickles magic, version, system, object, keys, and then
// per key an int64 element count and the raw bytes. The object here is one storage.
Storage read_storage(const Value& v, const Limits& limits) {
  const PyObject* call = v.get_if<PyObject>();
  if (call == nullptr || !call->is("torch.storage", "_load_from_bytes") || call->args.size() != 1) {
    fail("its storage is not bytes of torch.save");
  }
  const Bytes* saved = call->args[0].get_if<Bytes>();
  if (saved == nullptr) fail("its storage is not bytes of torch.save");
  std::string_view rest = saved->bytes;
  const auto next = [&] {
    size_t consumed = 0;
    Value part = read_pickle(rest, limits, consumed);
    rest.remove_prefix(consumed);
    return part;
  };
  next();  // magic number
  next();  // protocol version
  next();  // system: byte order is little-endian on every supported peer
  const Value object = next();
  next();  // keys
  const Tuple* id = object.get_if<Tuple>();
  if (id == nullptr || id->items.size() < 2) fail("its storage has no id");
  const PyObject* storage_class = id->items[1].get_if<PyObject>();
  if (storage_class == nullptr) fail("its storage has no class");
  if (rest.size() < sizeof(int64_t)) fail("its storage ends before its bytes");
  rest.remove_prefix(sizeof(int64_t));
  return {storage_dtype(storage_class->name), Slice::copy_of(rest)};
}

Shape read_dimensions(const Value& v, const char* what) {
  const Tuple* tuple = v.get_if<Tuple>();
  if (tuple == nullptr) fail(fmt::format("its {} is not a tuple", what));
  Shape shape;
  for (const Value& item : tuple->items) {
    const int64_t* dimension = item.get_if<int64_t>();
    if (dimension == nullptr || *dimension < 0 || *dimension > (int64_t{1} << 59)) {
      fail(fmt::format("its {} holds something that is no dimension", what));
    }
    shape.push_back(*dimension);
  }
  return shape;
}

// Bytes from the first to one past the last element that offset, shape and strides reach.
void check_extent(int64_t offset, const Shape& shape, const Shape& strides, size_t item_bytes,
                  size_t storage_bytes) {
  const auto elements = static_cast<int64_t>(storage_bytes / item_bytes);
  int64_t last = offset;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] > 1 && strides[i] > (elements - last) / (shape[i] - 1)) {
      fail("its shape and strides reach past its storage");
    }
    last += (shape[i] - 1) * strides[i];
  }
  if (last >= elements) fail("its shape and strides reach past its storage");
}

void copy_strided(const std::byte* from, std::byte*& to, const Shape& shape, const Shape& strides,
                  size_t item_bytes, size_t dimension) {
  if (dimension == shape.size()) {
    std::memcpy(to, from, item_bytes);
    to += item_bytes;
    return;
  }
  for (int64_t i = 0; i < shape[dimension]; ++i) {
    copy_strided(from + static_cast<size_t>(i * strides[dimension]) * item_bytes, to, shape,
                 strides, item_bytes, dimension + 1);
  }
}

// _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata]);
// _rebuild_tensor_v3 has the dtype in place 6.
Tensor rebuild(const PyObject& call, const Limits& limits) {
  if (call.args.size() < 4) fail("it has too few parts");
  const Storage storage = read_storage(call.args[0], limits);
  std::optional<DType> dtype = storage.dtype;
  if (call.name == "_rebuild_tensor_v3" && call.args.size() > 6) {
    const PyObject* global = call.args[6].get_if<PyObject>();
    dtype = global != nullptr ? dtype_from_name(global->name) : std::nullopt;
  }
  if (!dtype) fail("its dtype is not one that this version knows");
  const int64_t* offset = call.args[1].get_if<int64_t>();
  if (offset == nullptr || *offset < 0) fail("its storage offset is not an int");
  Shape shape = read_dimensions(call.args[2], "size");
  const Shape strides = read_dimensions(call.args[3], "stride");
  if (shape.size() != strides.size()) fail("its size and stride have different lengths");
  const int64_t count = checked_element_count(shape, limits);
  if (count == 0) return Tensor{*dtype, std::move(shape), Slice{}};
  const size_t item_bytes = dtype_size(*dtype);
  check_extent(*offset, shape, strides, item_bytes, storage.bytes.size);
  if (static_cast<uint64_t>(count) > limits.header_bytes_max) fail("it expands past the limits");
  auto [data, start] = Slice::allocate(static_cast<size_t>(count) * item_bytes);
  copy_strided(storage.bytes.data + static_cast<size_t>(*offset) * item_bytes, start, shape,
               strides, item_bytes, 0);
  return Tensor{*dtype, std::move(shape), std::move(data)};
}

}  // namespace

Value with_torch_tensors(Value v, const Limits& limits) {
  if (Array* items = v.get_mutable_if<Array>()) {
    for (Value& item : *items) item = with_torch_tensors(std::move(item), limits);
  } else if (Map* map = v.get_mutable_if<Map>()) {
    for (auto& [key, value] : *map) value = with_torch_tensors(std::move(value), limits);
  } else if (const Tuple* tuple = v.get_if<Tuple>()) {
    Array copies = tuple->items;
    for (Value& item : copies) item = with_torch_tensors(std::move(item), limits);
    return Value(Tuple{std::move(copies)});
  } else if (const PyObject* object = v.get_if<PyObject>()) {
    if (object->module == "torch._utils" && object->name.starts_with("_rebuild_tensor_v") &&
        object->kind == PyObject::Kind::kCall) {
      return Value(rebuild(*object, limits));
    }
  }
  return v;
}

}  // namespace tq::wire
