// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "transfer_queue/value.h"

namespace tq::client {

/// What BatchMeta and KVBatchMeta share. All throw Error(kInvalidArgument).

void check_positions(std::span<const size_t> positions, size_t size);
/// Requires each of 0 to size - 1 once.
void check_order(std::span<const size_t> positions, size_t size);
/// Begin and end of each of `chunks` parts, the first ones one larger where they cannot be equal.
std::vector<std::pair<size_t, size_t>> chunk_bounds(size_t size, size_t chunks);
/// Adds the extra_info of part number `part`; of the same key it must be equal.
void merge_extra_info(Map& merged, const Map& more, size_t part);
/// The value of a key, or nullptr.
Value* find_entry(Map& map, const Value& key);

template <class T>
std::vector<T> at(const std::vector<T>& values, std::span<const size_t> positions) {
  std::vector<T> chosen;
  chosen.reserve(positions.size());
  for (const size_t position : positions) chosen.push_back(values[position]);
  return chosen;
}

}  // namespace tq::client
