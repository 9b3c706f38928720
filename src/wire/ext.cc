// SPDX-License-Identifier: Apache-2.0
#include "wire/ext.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "transfer_queue/error.h"
#include "wire/numpy_dtype.h"
#include "wire/pickle_reader.h"
#include "wire/utf8.h"

namespace tq::wire {
namespace {

[[noreturn]] void fail(const std::string& message) { throw Error(ErrorCode::kDecode, message); }

// What the pickled tuple `(dtype, shape, buffer index)` of ext 3, 4 and 5 says.
struct BufferMeta {
  std::string dtype;
  Shape shape;
  size_t index;
};

Shape read_shape(const Value& v, const Limits& limits) {
  const Tuple* tuple = v.get_if<Tuple>();
  if (tuple == nullptr) fail(fmt::format("a tensor's shape is a {}, not a tuple", v.kind_name()));
  Shape shape;
  shape.reserve(tuple->items.size());
  for (const Value& item : tuple->items) {
    const int64_t* dimension = item.get_if<int64_t>();
    if (dimension == nullptr) fail("a tensor's shape holds something that is no int");
    shape.push_back(*dimension);
  }
  checked_element_count(shape, limits);
  return shape;
}

BufferMeta read_meta(const Value& v, std::span<const Slice> frames, const Limits& limits) {
  const Tuple* tuple = v.get_if<Tuple>();
  if (tuple == nullptr || tuple->items.size() != 3) {
    fail("a tensor's meta is not a tuple of dtype, shape and buffer index");
  }
  const std::string* dtype = tuple->items[0].get_if<std::string>();
  if (dtype == nullptr) fail("a tensor's dtype is not a str");
  const int64_t* index = tuple->items[2].get_if<int64_t>();
  if (index == nullptr) fail("a tensor's buffer index is not an int");
  if (*index < 1 || static_cast<uint64_t>(*index) >= frames.size()) {
    fail(fmt::format("a tensor refers to buffer {}, but the message has {} frames", *index,
                     frames.size()));
  }
  return {*dtype, read_shape(tuple->items[1], limits), static_cast<size_t>(*index)};
}

Tensor read_tensor(const Value& v, std::span<const Slice> frames, const Limits& limits) {
  BufferMeta meta = read_meta(v, frames, limits);
  const std::optional<DType> dtype = dtype_from_name(meta.dtype);
  if (!dtype) {
    fail(fmt::format("'{}' is no torch dtype that this version knows", printable(meta.dtype)));
  }
  const Slice& frame = frames[meta.index];
  const auto elements = static_cast<uint64_t>(element_count(meta.shape));
  if (elements * dtype_size(*dtype) != frame.size) {
    fail(fmt::format("a tensor of dtype {} and shape [{}] needs {} bytes, but buffer {} has {}",
                     meta.dtype, fmt::join(meta.shape, ", "), elements * dtype_size(*dtype),
                     meta.index, frame.size));
  }
  return Tensor{*dtype, std::move(meta.shape), frame};
}

NestedTensor read_nested(const Value& v, std::span<const Slice> frames, const Limits& limits) {
  const Value* layout = v.find("layout");
  const Value* tensors = v.find("tensors");
  const std::string* layout_name = layout != nullptr ? layout->get_if<std::string>() : nullptr;
  const Array* items = tensors != nullptr ? tensors->get_if<Array>() : nullptr;
  if (layout_name == nullptr || items == nullptr) {
    fail("a nested tensor's meta is not a dict of layout and tensors");
  }
  if (*layout_name != "jagged" && *layout_name != "strided") {
    fail(fmt::format("a nested tensor has the layout '{}'; known are jagged and strided",
                     printable(*layout_name)));
  }
  NestedTensor nested{*layout_name == "jagged", {}};
  nested.tensors.reserve(items->size());
  for (const Value& item : *items) nested.tensors.push_back(read_tensor(item, frames, limits));
  return nested;
}

NdArray read_ndarray(const Value& v, std::span<const Slice> frames, const Limits& limits) {
  BufferMeta meta = read_meta(v, frames, limits);
  const Slice& frame = frames[meta.index];
  const std::optional<size_t> item_bytes = numpy_item_size(meta.dtype);
  if (!item_bytes) {
    fail(fmt::format("'{}' is no numpy dtype of plain data", printable(meta.dtype)));
  }
  const auto elements = static_cast<uint64_t>(element_count(meta.shape));
  const bool fits = *item_bytes == 0
                        ? frame.empty()
                        : frame.size % *item_bytes == 0 && frame.size / *item_bytes == elements;
  if (!fits) {
    fail(fmt::format("a numpy array of dtype {} and shape [{}] does not fit buffer {} of {} bytes",
                     printable(meta.dtype), fmt::join(meta.shape, ", "), meta.index, frame.size));
  }
  return NdArray{std::move(meta.dtype), std::move(meta.shape), frame};
}

}  // namespace

int64_t checked_element_count(const Shape& shape, const Limits& limits) {
  if (shape.size() > limits.dimensions_max) {
    fail(fmt::format("a tensor has {} dimensions, more than {}", shape.size(),
                     limits.dimensions_max));
  }
  bool empty = false;
  for (int64_t dimension : shape) {
    if (dimension < 0) fail(fmt::format("a tensor has the dimension {}", dimension));
    empty = empty || dimension == 0;
  }
  // At most 2^59 elements, so that elements times the widest dtype's 16 bytes stays in 64 bits.
  constexpr int64_t kElementsMax = int64_t{1} << 59;
  int64_t count = 1;
  for (int64_t dimension : shape) {
    if (!empty && dimension > kElementsMax / count) fail("a tensor has more than 2^59 elements");
    count = empty ? 0 : count * dimension;
  }
  return count;
}

Value decode_ext(int8_t type, std::string_view payload, std::span<const Slice> frames,
                 const Limits& limits, NodeBudget& budget) {
  switch (type) {
    case kExtTimestamp:
      if (payload.size() != 4 && payload.size() != 8 && payload.size() != 12) {
        fail(fmt::format("a msgpack timestamp has {} bytes, not 4, 8 or 12", payload.size()));
      }
      return Value(Opaque{type, Slice::copy_of(payload)});
    case kExtPickle:
    case kExtCallable:
      return Value(Opaque{type, Slice::copy_of(payload)});
    case kExtTensor:
      return Value(read_tensor(read_pickle(payload, limits, budget), frames, limits));
    case kExtNestedTensor:
      return Value(read_nested(read_pickle(payload, limits, budget), frames, limits));
    case kExtNumpy:
      return Value(read_ndarray(read_pickle(payload, limits, budget), frames, limits));
    default:
      fail(fmt::format("msgpack ext type {} is none of this protocol's (1 to 5)", type));
  }
}

}  // namespace tq::wire
