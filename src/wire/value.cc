// SPDX-License-Identifier: Apache-2.0
#include "transfer_queue/value.h"

namespace tq {
namespace {

// One name a variant alternative, in its order.
constexpr std::string_view kKindNames[] = {
    "None",           "bool",  "int",  "int past 64 bits", "float",         "str",
    "bytes",          "list",  "dict", "tensor",           "nested tensor", "numpy array",
    "pickled object", "tuple", "set",  "int past 64 bits", "str",           "object"};
static_assert(std::size(kKindNames) == std::variant_size_v<Value::Variant>);

size_t sum_of(const Array& items) {
  size_t total = 0;
  for (const Value& item : items) total += payload_bytes(item);
  return total;
}

struct PayloadBytes {
  template <class T>
  size_t operator()(const T&) const {
    return 0;
  }
  size_t operator()(const std::string& v) const { return v.size(); }
  size_t operator()(const Array& v) const { return sum_of(v); }
  size_t operator()(const Map& v) const {
    size_t total = 0;
    for (const auto& [key, value] : v) total += payload_bytes(key) + payload_bytes(value);
    return total;
  }
  size_t operator()(const std::shared_ptr<const Bytes>& v) const { return v->bytes.size(); }
  size_t operator()(const std::shared_ptr<const Tensor>& v) const { return v->data.size; }
  size_t operator()(const std::shared_ptr<const NdArray>& v) const { return v->data.size; }
  size_t operator()(const std::shared_ptr<const Opaque>& v) const { return v->payload.size; }
  size_t operator()(const std::shared_ptr<const NestedTensor>& v) const {
    size_t total = 0;
    for (const Tensor& tensor : v->tensors) total += tensor.data.size;
    return total;
  }
  size_t operator()(const std::shared_ptr<const Tuple>& v) const { return sum_of(v->items); }
  size_t operator()(const std::shared_ptr<const Set>& v) const { return sum_of(v->items); }
};

}  // namespace

const Value* Value::find(std::string_view key) const noexcept {
  const Map* map = get_if<Map>();
  if (map == nullptr) return nullptr;
  for (auto entry = map->rbegin(); entry != map->rend();
       ++entry) {  // the last one wins, as in Python
    const std::string* text = entry->first.get_if<std::string>();
    if (text != nullptr && *text == key) return &entry->second;
  }
  return nullptr;
}

std::string_view Value::kind_name() const noexcept { return kKindNames[variant_.index()]; }

int64_t element_count(const Shape& shape) noexcept {
  int64_t count = 1;
  for (int64_t dimension : shape) {
    if (dimension == 0) return 0;  // the other dimensions may be too large to multiply
  }
  for (int64_t dimension : shape) count *= dimension;
  return count;
}

size_t payload_bytes(const Value& value) { return std::visit(PayloadBytes{}, value.variant()); }

}  // namespace tq
