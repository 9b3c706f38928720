// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "wire/limits.h"
#include "wire/node_budget.h"
#include "wire/value.h"

namespace tq::wire {

/// The msgpack ext types of the protocol.
enum ExtType : int8_t {
  kExtTimestamp = -1,  // msgpack's own; msgspec writes a datetime with a time zone so
  kExtPickle = 1,
  kExtCallable = 2,
  kExtTensor = 3,
  kExtNestedTensor = 4,
  kExtNumpy = 5,
};

/// Decodes an ext payload. Tensors refer to `frames` (index 0 is the header); dtype, shape, index
/// and the frame's size are checked against each other. Throws Error(kDecode).
Value decode_ext(int8_t type, std::string_view payload, std::span<const Slice> frames,
                 const Limits& limits, NodeBudget& budget);

/// Product of the dimensions; throws Error(kDecode) when negative, too many, or past 2^62.
int64_t checked_element_count(const Shape& shape, const Limits& limits);

}  // namespace tq::wire
