// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace tq::runtime {

/// Resident memory of this process in bytes; 0 where the system does not tell.
int64_t process_rss_bytes() noexcept;

}  // namespace tq::runtime
