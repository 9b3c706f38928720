// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>

#include "transfer_queue/error.h"
#include "wire/limits.h"
#include "wire/value.h"

namespace tq::wire {

/// What every message carries around its body.
struct Envelope {
  std::string request_type;
  std::string sender_id;
  std::optional<std::string> receiver_id;
  std::string request_id;
  double timestamp = 0;
  Value body;
};

/// Decodes the frames of a message (without the identity). Tensors become slices of their frames;
/// nothing is executed, whatever the bytes say. Never throws, never takes memory past the limits;
/// the error names what does not fit and where.
Result<Envelope> decode(std::span<const Slice> frames, const Limits& limits) noexcept;

/// Decodes a value alone, as Python's `serial_utils.decode` does.
Result<Value> decode_value(std::span<const Slice> frames, const Limits& limits) noexcept;

}  // namespace tq::wire
