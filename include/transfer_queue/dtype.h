// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tq {

/// A torch dtype as the wire names it: `str(dtype)` without the `torch.` prefix.
enum class DType : uint8_t {
#define TQ_DTYPE(name, bytes) name,
#include "transfer_queue/dtype.def"
#undef TQ_DTYPE
};

/// "float32" and the like.
std::string_view dtype_name(DType dtype) noexcept;
/// Bytes of one element.
size_t dtype_size(DType dtype) noexcept;
/// The dtype of a name without `torch.`; nothing for an unknown one.
std::optional<DType> dtype_from_name(std::string_view name) noexcept;

}  // namespace tq
