// SPDX-License-Identifier: Apache-2.0
#include "client/meta_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "transfer_queue/error.h"
#include "wire/value_equal.h"

namespace tq::client {
namespace {

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ErrorCode::kInvalidArgument, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace

void check_positions(std::span<const size_t> positions, size_t size) {
  for (const size_t position : positions) {
    if (position >= size) {
      fail("position {} is out of range: the metadata has {} samples", position, size);
    }
  }
}

void check_order(std::span<const size_t> positions, size_t size) {
  if (positions.size() != size) {
    fail("an order of {} positions does not fit {} samples", positions.size(), size);
  }
  check_positions(positions, size);
  std::vector<bool> seen(size);
  for (const size_t position : positions) {
    if (seen[position]) fail("position {} comes twice in the order", position);
    seen[position] = true;
  }
}

std::vector<std::pair<size_t, size_t>> chunk_bounds(size_t size, size_t chunks) {
  if (chunks == 0) fail("metadata cannot be cut into 0 chunks");
  std::vector<std::pair<size_t, size_t>> bounds;
  size_t begin = 0;
  for (size_t i = 0; i < chunks; ++i) {
    const size_t end = begin + size / chunks + (i < size % chunks ? 1 : 0);
    bounds.emplace_back(begin, end);
    begin = end;
  }
  return bounds;
}

Value* find_entry(Map& map, const Value& key) {
  const auto known = std::find_if(map.begin(), map.end(),
                                  [&](const auto& entry) { return wire::equal(entry.first, key); });
  return known != map.end() ? &known->second : nullptr;
}

void merge_extra_info(Map& merged, const Map& more, size_t part) {
  for (const auto& [key, value] : more) {
    const Value* known = find_entry(merged, key);
    if (known == nullptr) {
      merged.emplace_back(key, value);
    } else if (!wire::equal(*known, value)) {
      const auto* name = key.get_if<std::string>();
      fail("extra_info '{}' of part {} has another value than in a part before it",
           name != nullptr ? *name : std::string(key.kind_name()), part);
    }
  }
}

}  // namespace tq::client
