// SPDX-License-Identifier: Apache-2.0
#include "transfer_queue/dtype.h"

#include <array>
#include <cstddef>

namespace tq {
namespace {

struct Entry {
  std::string_view name;
  size_t size_bytes;
};

constexpr Entry kEntries[] = {
#define TQ_DTYPE(name, bytes) {#name, bytes},
#include "transfer_queue/dtype.def"
#undef TQ_DTYPE
};

constexpr std::string_view kBoolOnTheWire = "bool";  // `bool` cannot be an enumerator

}  // namespace

std::string_view dtype_name(DType dtype) noexcept {
  return dtype == DType::boolean ? kBoolOnTheWire : kEntries[static_cast<size_t>(dtype)].name;
}

size_t dtype_size(DType dtype) noexcept { return kEntries[static_cast<size_t>(dtype)].size_bytes; }

std::optional<DType> dtype_from_name(std::string_view name) noexcept {
  for (size_t i = 0; i < std::size(kEntries); ++i) {
    if (name == dtype_name(static_cast<DType>(i))) return static_cast<DType>(i);
  }
  return std::nullopt;
}

}  // namespace tq
