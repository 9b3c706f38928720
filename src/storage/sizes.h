// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace tq::storage {

/// Buffers below this are copied out of the frame that they came in: an owner of its own costs such
/// a row more than a copy does, and a slice might pin a larger frame around it.
inline constexpr size_t kCopyOutBytes = 4096;

/// Columns of like tensors go out as one dense tensor when a row is smaller than this, else as a
/// frame a row. A Python client pays 3 to 5 microseconds a frame, but the one large frame lands in
/// memory that the client's kernel must first provide. Measured with Python 0.1.11 clients: dense
/// is 2 to 3 times as fast for rows of 1 to 8 KiB, equal at 16 to 32 KiB, slower above.
inline constexpr size_t kDenseRowBytes = 16384;

}  // namespace tq::storage
