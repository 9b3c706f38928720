// SPDX-License-Identifier: Apache-2.0
#include "controller/detach.h"

#include <memory>
#include <utility>

namespace tq::controller {
namespace {

using wire::Slice;
using wire::Value;

wire::Array detach_items(const wire::Array& items) {
  wire::Array copy;
  copy.reserve(items.size());
  for (const Value& item : items) copy.push_back(detach(item));
  return copy;
}

wire::Map detach_entries(const wire::Map& entries) {
  wire::Map copy;
  copy.reserve(entries.size());
  for (const auto& [key, value] : entries) copy.emplace_back(detach(key), detach(value));
  return copy;
}

wire::Tensor detach_tensor(const wire::Tensor& tensor) {
  return {tensor.dtype, tensor.shape, Slice::copy_of(tensor.data.view())};
}

struct Detacher {
  template <class T>
  Value operator()(const T& plain) const {
    Value copy;
    copy.variant() = plain;
    return copy;
  }
  Value operator()(const wire::Array& items) const { return detach_items(items); }
  Value operator()(const wire::Map& entries) const { return detach_entries(entries); }
  Value operator()(const std::shared_ptr<const wire::Tensor>& tensor) const {
    return detach_tensor(*tensor);
  }
  Value operator()(const std::shared_ptr<const wire::NestedTensor>& nested) const {
    wire::NestedTensor copy{nested->jagged, {}};
    for (const wire::Tensor& tensor : nested->tensors)
      copy.tensors.push_back(detach_tensor(tensor));
    return copy;
  }
  Value operator()(const std::shared_ptr<const wire::NdArray>& array) const {
    return wire::NdArray{array->dtype, array->shape, Slice::copy_of(array->data.view())};
  }
  Value operator()(const std::shared_ptr<const wire::Opaque>& opaque) const {
    return wire::Opaque{opaque->ext_type, Slice::copy_of(opaque->payload.view())};
  }
  Value operator()(const std::shared_ptr<const wire::Tuple>& tuple) const {
    return wire::Tuple{detach_items(tuple->items)};
  }
  Value operator()(const std::shared_ptr<const wire::Set>& set) const {
    return wire::Set{detach_items(set->items), set->frozen};
  }
  Value operator()(const std::shared_ptr<const wire::PyObject>& object) const {
    return wire::PyObject{object->kind,
                          object->module,
                          object->name,
                          detach_items(object->args),
                          detach_items(object->state),
                          detach_items(object->items),
                          detach_entries(object->entries)};
  }
};

}  // namespace

Value detach(const Value& value) { return std::visit(Detacher{}, value.variant()); }

}  // namespace tq::controller
