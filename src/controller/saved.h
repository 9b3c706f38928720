// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "controller/index_set.h"
#include "wire/unpack.h"
#include "wire/value.h"

/// Pieces of a controller's checkpoint as values, and back. What reads throws Error(kDecode), or
/// what wire/unpack.h throws, naming the key.
namespace tq::controller::saved {

[[noreturn]] void fail(const std::string& what);

/// int64 [N].
wire::Value numbers(std::span<const int64_t> values);
std::vector<int64_t> to_numbers(const wire::Value& value, const char* name);

/// The bitmaps of its chunks.
wire::Value index_set(const IndexSet& set);
IndexSet to_index_set(const wire::Value& value, const char* name, const wire::Limits& limits);

/// The entry of a map.
wire::Value& at(wire::Value& map, const char* name);

template <class T>
T take(wire::Value& map, const char* name, const wire::Limits& limits) {
  T out{};
  wire::unpack_field(at(map, name), wire::Path{nullptr, name, std::nullopt}, limits, out);
  return out;
}

inline std::vector<int64_t> take_numbers(wire::Value& map, const char* name) {
  return to_numbers(at(map, name), name);
}
inline IndexSet take_index_set(wire::Value& map, const char* name, const wire::Limits& limits) {
  return to_index_set(at(map, name), name, limits);
}

}  // namespace tq::controller::saved
