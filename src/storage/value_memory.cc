// SPDX-License-Identifier: Apache-2.0
#include "storage/value_memory.h"

#include "storage/sizes.h"

namespace tq::storage {
namespace {

bool is_small(const wire::Slice& slice) noexcept { return slice.size < kCopyOutBytes; }

size_t node_bytes(const wire::Value& value) noexcept {
  size_t total = sizeof(wire::Value);
  if (const auto* items = value.get_if<wire::Array>()) {
    for (const wire::Value& item : *items) total += node_bytes(item);
  } else if (const auto* entries = value.get_if<wire::Map>()) {
    for (const auto& [key, entry] : *entries) total += node_bytes(key) + node_bytes(entry);
  }
  return total;
}

}  // namespace

size_t value_bytes(const wire::Value& value) noexcept {
  return node_bytes(value) + wire::payload_bytes(value);
}

wire::Slice detached(const wire::Slice& slice) {
  return is_small(slice) ? wire::Slice::copy_of(slice.view()) : slice;
}

void detach_small_buffers(wire::Value& value) {
  if (auto* items = value.get_mutable_if<wire::Array>()) {
    for (wire::Value& item : *items) detach_small_buffers(item);
  } else if (auto* entries = value.get_mutable_if<wire::Map>()) {
    for (auto& [key, entry] : *entries) detach_small_buffers(entry);
  } else if (const auto* tensor = value.get_if<wire::Tensor>()) {
    if (!is_small(tensor->data)) return;
    value = wire::Tensor{tensor->dtype, tensor->shape, detached(tensor->data)};
  } else if (const auto* array = value.get_if<wire::NdArray>()) {
    if (!is_small(array->data)) return;
    value = wire::NdArray{array->dtype, array->shape, detached(array->data)};
  } else if (const auto* nested = value.get_if<wire::NestedTensor>()) {
    wire::NestedTensor copy = *nested;
    for (wire::Tensor& tensor_row : copy.tensors) tensor_row.data = detached(tensor_row.data);
    value = std::move(copy);
  }
}

}  // namespace tq::storage
