// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace tq::storage {

/// Buffers below this are copied out of the frame that they came in. libzmq reads from a socket in
/// batches of 8192 bytes and lets every frame that fits into one share that batch's memory, so a
/// kept slice of a small frame would pin up to 8 KiB.
inline constexpr size_t kCopyOutBytes = 8192;

/// Columns of like tensors go out as one dense tensor when a row is smaller than this, else as a
/// frame a row. A Python client pays 3 to 5 microseconds a frame; gathering pays for a copy, and
/// the one large frame lands in memory that the client's kernel must first provide. Measured with
/// Python 0.1.11 clients: dense is 2 to 3 times as fast for rows of 1 to 8 KiB, equal at 16 to
/// 32 KiB, slower above.
inline constexpr size_t kDenseRowBytes = 16384;

}  // namespace tq::storage
