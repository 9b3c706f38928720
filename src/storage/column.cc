// SPDX-License-Identifier: Apache-2.0
#include "storage/column.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "storage/numpy_pickle.h"
#include "storage/sizes.h"
#include "storage/tensordict.h"
#include "storage/value_memory.h"
#include "transfer_queue/error.h"
#include "wire/pickle_reader.h"

namespace tq::storage {
namespace {

using wire::Array;
using wire::Map;
using wire::NdArray;
using wire::NestedTensor;
using wire::Opaque;
using wire::PyObject;
using wire::Shape;
using wire::Tensor;
using wire::Tuple;
using wire::Value;

// Cuts columns of `count` rows; `field` is named in errors ("inner.a" for an entry of a
// TensorDict).
struct Cutter {
  std::string field;
  size_t count;
  const wire::Limits& limits;

  std::unique_ptr<Rows> cut(Value column) const;

  std::unique_ptr<Rows> dense(DenseRows::Element element, const Shape& shape,
                              const wire::Slice& data, std::string_view kind) const;
  std::unique_ptr<Rows> list(Array items) const;
  std::unique_ptr<Rows> small_tensors(const Array& items) const;
  std::unique_ptr<Rows> tensordict(Value& column) const;
  std::unique_ptr<Rows> object_array(const Value& pickled) const;
  Value unpickled(const Opaque& opaque) const;
  Shape batch_tail(const Value* batch_size) const;
  void check_count(size_t got) const;
  void check_batch(const std::string& name, const Value& entry, const Shape& tail) const;
  [[noreturn]] void fail(ErrorCode code, const std::string& what) const {
    throw Error(code, fmt::format("field '{}' {}", field, what));
  }
};

void Cutter::check_count(size_t got) const {
  if (got == count) return;
  fail(ErrorCode::kInvalidArgument,
       fmt::format("has {} rows, but global_indexes names {}; the lengths must be equal", got,
                   count));
}

std::unique_ptr<Rows> Cutter::dense(DenseRows::Element element, const Shape& shape,
                                    const wire::Slice& data, std::string_view kind) const {
  if (shape.empty()) {
    fail(ErrorCode::kWrongType, fmt::format("is a {} of no dimensions, which has no rows", kind));
  }
  check_count(static_cast<size_t>(shape[0]));
  if (count == 0) return std::make_unique<ValueRows>(Array{});
  return std::make_unique<DenseRows>(std::move(element), Shape(shape.begin() + 1, shape.end()),
                                     detached(data), count);
}

// Like small tensors lie one after the other, so that they cost no object each; nothing when the
// list holds anything else.
std::unique_ptr<Rows> Cutter::small_tensors(const Array& items) const {
  std::vector<const Tensor*> tensors;
  tensors.reserve(items.size());
  bool one_shape = true;
  for (const Value& item : items) {
    const Tensor* tensor = item.get_if<Tensor>();
    if (tensor == nullptr || tensor->data.size >= kCopyOutBytes) return nullptr;
    tensors.push_back(tensor);
    const Tensor& first = *tensors[0];
    if (tensor->dtype != first.dtype || tensor->shape.size() != first.shape.size()) return nullptr;
    one_shape = one_shape && tensor->shape == first.shape;
  }
  if (tensors.empty()) return nullptr;
  if (!one_shape) return std::make_unique<RaggedRows>(tensors);
  auto [data, to] = wire::Slice::allocate(tensors.size() * tensors[0]->data.size);
  for (const Tensor* tensor : tensors) {
    to = std::copy_n(tensor->data.data, tensor->data.size, to);
  }
  return std::make_unique<DenseRows>(tensors[0]->dtype, tensors[0]->shape, std::move(data),
                                     tensors.size());
}

std::unique_ptr<Rows> Cutter::list(Array items) const {
  check_count(items.size());
  if (std::unique_ptr<Rows> rows = small_tensors(items)) return rows;
  for (Value& item : items) detach_small_buffers(item);
  return std::make_unique<ValueRows>(std::move(items));
}

// The batch size without its first dimension, which is the rows.
Shape Cutter::batch_tail(const Value* batch_size) const {
  const Array* items = batch_size != nullptr ? batch_size->get_if<Array>() : nullptr;
  if (items == nullptr) fail(ErrorCode::kWrongType, "is a TensorDict without a batch_size list");
  Shape shape;
  for (const Value& item : *items) {
    const int64_t* dimension = item.get_if<int64_t>();
    if (dimension == nullptr || *dimension < 0) {
      fail(ErrorCode::kWrongType, "is a TensorDict whose batch_size holds no dimension but a " +
                                      std::string(item.kind_name()));
    }
    shape.push_back(*dimension);
  }
  if (shape.empty()) fail(ErrorCode::kWrongType, "is a TensorDict of no dimensions, without rows");
  check_count(static_cast<size_t>(shape[0]));
  shape.erase(shape.begin());
  return shape;
}

// A TensorDict of several batch dimensions can only be built again when every entry starts with
// them.
void Cutter::check_batch(const std::string& name, const Value& entry, const Shape& tail) const {
  Shape shape;
  if (const Tensor* tensor = entry.get_if<Tensor>()) shape = tensor->shape;
  if (const NdArray* array = entry.get_if<NdArray>()) shape = array->shape;
  if (is_tensordict(entry)) {
    shape = batch_tail(entry.find(kTensorDictBatchSize));
    shape.insert(shape.begin(), static_cast<int64_t>(count));
  }
  if (shape.size() > tail.size() && std::equal(tail.begin(), tail.end(), shape.begin() + 1)) return;
  fail(ErrorCode::kInvalidArgument,
       fmt::format("is a TensorDict of batch size [{}, {}], which its entry '{}' does not have",
                   count, fmt::join(tail, ", "), name));
}

std::unique_ptr<Rows> Cutter::tensordict(Value& column) const {
  Shape tail = batch_tail(column.find(kTensorDictBatchSize));
  Value* data = column.find(kTensorDictData);
  Map* map = data != nullptr ? data->get_mutable_if<Map>() : nullptr;
  if (map == nullptr) fail(ErrorCode::kWrongType, "is a TensorDict without a data dict");
  TensorDictRows::Entries entries;
  for (auto& [key, entry] : *map) {
    const std::string* name = key.get_if<std::string>();
    if (name == nullptr) fail(ErrorCode::kWrongType, "is a TensorDict with a key that is no str");
    if (!tail.empty()) check_batch(*name, entry, tail);
    entries.emplace_back(*name, Cutter{field + "." + *name, count, limits}.cut(std::move(entry)));
  }
  return std::make_unique<TensorDictRows>(std::move(tail), count, std::move(entries));
}

Value Cutter::unpickled(const Opaque& opaque) const {
  if (opaque.ext_type != 1) return Value();
  try {
    return wire::read_pickle(opaque.payload.view(), limits);
  } catch (const Error& error) {
    fail(error.code(),
         fmt::format("is a pickled object that cannot be cut into rows ({}); put it as "
                     "a list, whose items are kept as they are",
                     error.what()));
  }
}

std::unique_ptr<Rows> Cutter::object_array(const Value& pickled) const {
  std::optional<Array> items = object_array_items(pickled);
  return items ? list(std::move(*items)) : nullptr;
}

std::unique_ptr<Rows> Cutter::cut(Value column) const {
  if (const Tensor* tensor = column.get_if<Tensor>()) {
    return dense(tensor->dtype, tensor->shape, tensor->data, column.kind_name());
  }
  if (const NdArray* array = column.get_if<NdArray>()) {
    return dense(array->dtype, array->shape, array->data, column.kind_name());
  }
  if (const NestedTensor* nested = column.get_if<NestedTensor>()) {
    return list(Array(nested->tensors.begin(), nested->tensors.end()));
  }
  if (Array* items = column.get_mutable_if<Array>()) return list(std::move(*items));
  if (const Tuple* tuple = column.get_if<Tuple>()) return list(tuple->items);
  if (is_tensordict(column)) return tensordict(column);
  std::unique_ptr<Rows> rows;
  if (const Opaque* opaque = column.get_if<Opaque>()) rows = object_array(unpickled(*opaque));
  if (column.get_if<PyObject>() != nullptr) rows = object_array(column);
  if (rows != nullptr) return rows;
  fail(ErrorCode::kWrongType,
       fmt::format(
           "is a {}, which cannot be cut into rows; a column is a tensor, a nested tensor, a "
           "numpy array, a list or a TensorDict",
           column.kind_name()));
}

}  // namespace

std::unique_ptr<Rows> cut_column(std::string_view field, Value column, size_t count,
                                 const wire::Limits& limits) {
  return Cutter{std::string(field), count, limits}.cut(std::move(column));
}

}  // namespace tq::storage
