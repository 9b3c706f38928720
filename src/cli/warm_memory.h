// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace tq::cli {

/// Tells the allocator to lie on huge pages and to keep what was freed for some seconds: fresh
/// pages cost a transfer more than anything else. Does nothing without mimalloc, and nothing to a
/// setting that the environment (MIMALLOC_...) gives. Call before the first large allocation.
void keep_memory_warm() noexcept;

/// Gives what the allocator keeps for the calling thread back to the system.
void release_kept_memory() noexcept;

}  // namespace tq::cli
