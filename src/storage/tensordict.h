// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "wire/value.h"

namespace tq::storage {

/// The keys of the map that stands for a TensorDict on the wire.
inline constexpr std::string_view kTensorDictMarker = "__tq_tensordict__";
inline constexpr std::string_view kTensorDictBatchSize = "batch_size";
inline constexpr std::string_view kTensorDictData = "data";

/// Whether a value is such a map, as Python decides it: the marker is there and true.
inline bool is_tensordict(const wire::Value& value) noexcept {
  const wire::Value* marker = value.find(kTensorDictMarker);
  const bool* is_true = marker != nullptr ? marker->get_if<bool>() : nullptr;
  return is_true != nullptr && *is_true;
}

}  // namespace tq::storage
