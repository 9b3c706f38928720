// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "wire/value.h"

namespace tq::storage {

/// Bytes a value takes: its payload and its nodes.
size_t value_bytes(const wire::Value& value) noexcept;

/// Copies every small buffer in a value out of the frame that it came in (see kCopyOutBytes);
/// larger ones stay where they are. Text, bytes and opaque payloads own their memory since
/// decoding.
void detach_small_buffers(wire::Value& value);

/// The slice itself, or a copy when it is small.
wire::Slice detached(const wire::Slice& slice);

}  // namespace tq::storage
