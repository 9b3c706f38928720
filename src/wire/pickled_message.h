// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "wire/limits.h"
#include "wire/value.h"

namespace tq::wire {

/// Whether the frames are Python's fallback: `C1 FE ED` (a byte that msgpack never uses) and then
/// the whole message as one pickle.
bool is_pickled_message(std::span<const Slice> frames) noexcept;

/// Reads such a message without executing anything: torch tensors and torch dtypes in it become
/// Tensors and globals; a name that is not known is refused. Throws Error(kDecode).
Value read_pickled_message(std::span<const Slice> frames, const Limits& limits);

}  // namespace tq::wire
