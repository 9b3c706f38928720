// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "transfer_queue/error.h"
#include "wire/limits.h"
#include "wire/node_budget.h"
#include "wire/value.h"

namespace tq::wire {

/// What becomes of a class or function that is not on the list of names: a stranger's is refused;
/// in a reply, where tags may hold objects of any class, it stays an inert PyObject.
enum class UnknownNames : uint8_t { kRefuse, kKeep };

/// Reads a pickle into inert values: a stack machine that knows the opcodes of data and, for
/// objects, only notes names, arguments and state (PyObject). It calls, imports and builds nothing.
/// Opcodes and names that are not on its list are refused with their name. References to one object
/// are unfolded; cycles and exponential growth end at the limits. Throws Error(kDecode).
Value read_pickle(std::string_view pickle, const Limits& limits,
                  UnknownNames unknown_names = UnknownNames::kRefuse);

/// The same for a pickle that is part of a message, within the budget of the whole message.
Value read_pickle(std::string_view pickle, const Limits& limits, NodeBudget& budget);

/// Reads the first pickle of a stream and removes its bytes, for files that hold several.
Value read_next_pickle(std::string_view& stream, const Limits& limits, NodeBudget& budget);

}  // namespace tq::wire
