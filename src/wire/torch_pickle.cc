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
  Slice bytes;                 // shares the pickled bytes
};

// Bytes that tensors may be copied to. A stride of 0 makes gigabytes of one element, and one
// storage may be shared by many tensors, so what is copied is held to what came in.
struct CopyBudget {
  size_t left;

  CopyBudget(size_t pickle_bytes, const Limits& limits) {
    constexpr size_t kFreeBytes = size_t{1} << 20;
    constexpr size_t kExpansionMax = 1024;  // a row expanded to a batch is fine
    left = std::min(limits.header_bytes_max, kFreeBytes + kExpansionMax * pickle_bytes);
  }
  void take(size_t bytes) {
    if (bytes > left) fail("it expands to more than the message's size allows");
    left -= bytes;
  }
};

std::optional<DType> storage_dtype(std::string_view class_name) {
  constexpr std::pair<std::string_view, DType> kClasses[] = {
      {"FloatStorage", DType::float32},
      {"DoubleStorage", DType::float64},
      {"HalfStorage", DType::float16},
      {"BFloat16Storage", DType::bfloat16},
      {"LongStorage", DType::int64},
      {"IntStorage", DType::int32},
      {"ShortStorage", DType::int16},
      {"CharStorage", DType::int8},
      {"ByteStorage", DType::uint8},
      {"BoolStorage", DType::boolean},
      {"ComplexFloatStorage", DType::complex64},
      {"ComplexDoubleStorage", DType::complex128},
  };
  for (const auto& [name, dtype] : kClasses) {
    if (name == class_name) return dtype;
  }
  return std::nullopt;
}

// torch.save's format before zip files: the pickles magic, version, system, object, keys, and then
// per key an int64 element count and the raw bytes. The object here is one storage.
Storage read_storage(const Value& v, const Limits& limits, NodeBudget& budget) {
  const PyObject* call = v.get_if<PyObject>();
  if (call == nullptr || !call->is("torch.storage", "_load_from_bytes") || call->args.size() != 1) {
    fail("its storage is not bytes of torch.save");
  }
  const auto* saved = std::get_if<std::shared_ptr<const Bytes>>(&call->args[0].variant());
  if (saved == nullptr) fail("its storage is not bytes of torch.save");
  std::string_view rest = (*saved)->bytes;
  const auto next = [&] { return read_next_pickle(rest, limits, budget); };
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
  return {storage_dtype(storage_class->name),
          Slice{reinterpret_cast<const std::byte*>(rest.data()), rest.size(), *saved}};
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

bool is_row_major(const Shape& shape, const Shape& strides) {
  int64_t expected = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

// The elements in row-major order: where they lie, or copied when they lie otherwise or are a small
// part of what they would keep alive.
Slice gather(const Slice& storage, size_t offset, const Shape& shape, const Shape& strides,
             size_t item_bytes, CopyBudget& copies) {
  const size_t size = static_cast<size_t>(element_count(shape)) * item_bytes;
  const bool row_major = is_row_major(shape, strides);
  if (row_major && size >= storage.size / 2) return storage.sub(offset, size);
  copies.take(size);
  if (row_major) return Slice::copy_of(storage.sub(offset, size).view());
  auto [data, start] = Slice::allocate(size);
  copy_strided(storage.data + offset, start, shape, strides, item_bytes, 0);
  return data;
}

// The dtype of _rebuild_tensor_v3 is its seventh argument, that of v2 its storage's.
DType read_dtype(const PyObject& call, const Storage& storage) {
  std::optional<DType> dtype = storage.dtype;
  if (call.name == "_rebuild_tensor_v3" && call.args.size() > 6) {
    const PyObject* global = call.args[6].get_if<PyObject>();
    dtype = global != nullptr ? dtype_from_name(global->name) : std::nullopt;
  }
  if (!dtype) fail("its dtype is not one that this version knows");
  return *dtype;
}

// Flags such as {"conj": True}: the bytes are not the tensor's values then.
void check_metadata(const PyObject& call) {
  const size_t place = call.name == "_rebuild_tensor_v3" ? 7 : 6;
  if (call.args.size() <= place || call.args[place].is_nil()) return;
  const Map* flags = call.args[place].get_if<Map>();
  if (flags == nullptr || !flags->empty()) {
    fail(
        "it is a view with flags (conjugate or negative); put tensor.resolve_conj().resolve_neg()");
  }
}

// _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata]);
// _rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype[, metadata]).
Tensor rebuild(const PyObject& call, const Limits& limits, NodeBudget& budget, CopyBudget& copies) {
  if (call.args.size() < 4) fail("it has too few parts");
  const Storage storage = read_storage(call.args[0], limits, budget);
  const DType dtype = read_dtype(call, storage);
  check_metadata(call);
  const int64_t* offset = call.args[1].get_if<int64_t>();
  if (offset == nullptr || *offset < 0) fail("its storage offset is not an int");
  Shape shape = read_dimensions(call.args[2], "size");
  const Shape strides = read_dimensions(call.args[3], "stride");
  if (shape.size() != strides.size()) fail("its size and stride have different lengths");
  const int64_t count = checked_element_count(shape, limits);
  if (count == 0) return Tensor{dtype, std::move(shape), Slice{}};
  const size_t item_bytes = dtype_size(dtype);
  check_extent(*offset, shape, strides, item_bytes, storage.bytes.size);
  Slice data = gather(storage.bytes, static_cast<size_t>(*offset) * item_bytes, shape, strides,
                      item_bytes, copies);
  return Tensor{dtype, std::move(shape), std::move(data)};
}

struct Rebuilder {
  const Limits& limits;
  NodeBudget& budget;
  CopyBudget copies;

  Value walk(Value v);
};

Value Rebuilder::walk(Value v) {
  if (Array* items = v.get_mutable_if<Array>()) {
    for (Value& item : *items) item = walk(std::move(item));
  } else if (Map* map = v.get_mutable_if<Map>()) {
    for (auto& [key, value] : *map) value = walk(std::move(value));
  } else if (const Tuple* tuple = v.get_if<Tuple>()) {
    Array copied = tuple->items;
    for (Value& item : copied) item = walk(std::move(item));
    return Value(Tuple{std::move(copied)});
  } else if (const PyObject* object = v.get_if<PyObject>()) {
    if (object->module == "torch._utils" && object->name.starts_with("_rebuild_tensor_v") &&
        object->kind == PyObject::Kind::kCall) {
      return Value(rebuild(*object, limits, budget, copies));
    }
  }
  return v;
}

}  // namespace

Value with_torch_tensors(Value v, size_t pickle_bytes, const Limits& limits, NodeBudget& budget) {
  return Rebuilder{limits, budget, CopyBudget(pickle_bytes, limits)}.walk(std::move(v));
}

}  // namespace tq::wire
