// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace tq::cli {

/// Bytes that programs may still take on this machine: what the kernel calls available, or what is
/// left of this process's control group if that is less.
uint64_t free_memory_bytes();

}  // namespace tq::cli
