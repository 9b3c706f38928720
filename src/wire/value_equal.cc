// SPDX-License-Identifier: Apache-2.0
#include "wire/value_equal.h"

#include <algorithm>

namespace tq::wire {
namespace {

bool equal_items(const Array& a, const Array& b) { return std::ranges::equal(a, b, equal); }

bool equal_entries(const Map& a, const Map& b) {
  if (a.size() != b.size()) return false;
  return std::ranges::all_of(a, [&](const auto& entry) {
    // Most often in the same order, and so at the same place.
    const auto& same_place = b[static_cast<size_t>(&entry - a.data())];
    if (equal(entry.first, same_place.first)) return equal(entry.second, same_place.second);
    return std::ranges::any_of(b, [&](const auto& other) {
      return equal(entry.first, other.first) && equal(entry.second, other.second);
    });
  });
}

struct Equal {
  const Value& other;

  template <class T>
  bool operator()(const T& a) const {
    return a == *other.get_if<T>();
  }
  bool operator()(std::monostate) const { return true; }
  bool operator()(const Array& a) const { return equal_items(a, *other.get_if<Array>()); }
  bool operator()(const Map& a) const { return equal_entries(a, *other.get_if<Map>()); }
  template <class T>
  bool operator()(const std::shared_ptr<const T>& a) const {
    return contents(*a, *other.get_if<T>());
  }

  static bool contents(const Bytes& a, const Bytes& b) { return a.bytes == b.bytes; }
  static bool contents(const BigInt& a, const BigInt& b) { return a.bytes == b.bytes; }
  static bool contents(const SurrogateStr& a, const SurrogateStr& b) { return a.bytes == b.bytes; }
  static bool contents(const Tuple& a, const Tuple& b) { return equal_items(a.items, b.items); }
  static bool contents(const Tensor& a, const Tensor& b) {
    return a.dtype == b.dtype && a.shape == b.shape && a.data.view() == b.data.view();
  }
  static bool contents(const NdArray& a, const NdArray& b) {
    return a.dtype == b.dtype && a.shape == b.shape && a.data.view() == b.data.view();
  }
  static bool contents(const NestedTensor& a, const NestedTensor& b) {
    return a.jagged == b.jagged &&
           std::ranges::equal(a.tensors, b.tensors,
                              [](const Tensor& x, const Tensor& y) { return contents(x, y); });
  }
  static bool contents(const Opaque& a, const Opaque& b) {
    return a.ext_type == b.ext_type && a.payload.view() == b.payload.view();
  }
  static bool contents(const Set& a, const Set& b) {
    const auto is_in_b = [&](const Value& item) {
      return std::ranges::any_of(b.items, [&](const Value& o) { return equal(item, o); });
    };
    return a.frozen == b.frozen && a.items.size() == b.items.size() &&
           std::ranges::all_of(a.items, is_in_b);
  }
  static bool contents(const PyObject& a, const PyObject& b) {
    return a.kind == b.kind && a.is(b.module, b.name) && equal_items(a.args, b.args) &&
           equal_items(a.state, b.state) && equal_items(a.items, b.items) &&
           equal_entries(a.entries, b.entries);
  }
};

}  // namespace

bool equal(const Value& a, const Value& b) {
  return a.variant().index() == b.variant().index() && std::visit(Equal{b}, a.variant());
}

}  // namespace tq::wire
