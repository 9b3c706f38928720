// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>

#include "wire/slice.h"

namespace tq::test {

/// A fuzzer's flat input as frames, in the form of the recorded .msg files (u64 length, bytes), so
/// that these are the corpus. A length past the end takes what is left.
inline wire::Frames frames_of_input(const uint8_t* data, size_t size) {
  wire::Frames frames;
  while (size >= sizeof(uint64_t) && frames.size() < 64) {
    uint64_t length = 0;
    std::memcpy(&length, data, sizeof length);
    data += sizeof length;
    size -= sizeof length;
    const size_t take = length < size ? static_cast<size_t>(length) : size;
    frames.push_back(
        wire::Slice::copy_of({reinterpret_cast<const char*>(data), take}));  // exact block for ASan
    data += take;
    size -= take;
  }
  return frames;
}

}  // namespace tq::test
