// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace tq::zmtp {

/// What stands before each frame: a byte of flags, then its size in one byte or, big endian, in
/// eight.
struct FrameHeader {
  size_t size = 0;
  bool more = false;
  bool command = false;
};

/// Bytes that the header has, by its first. Throws Error(kDecode) for flags that mean nothing.
size_t header_bytes(std::byte flags);
/// Of a complete header.
FrameHeader read_header(std::span<const std::byte> bytes);

struct HeaderBytes {
  std::array<std::byte, 9> bytes;
  size_t count;
};
HeaderBytes write_header(const FrameHeader& header);

}  // namespace tq::zmtp
