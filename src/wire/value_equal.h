// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "transfer_queue/value.h"

namespace tq::wire {

/// Whether two values are of one type and equal, as Python's ==: the order of a dict's entries does
/// not count; tensors and arrays are compared by dtype, shape and bytes.
bool equal(const Value& a, const Value& b);

}  // namespace tq::wire
