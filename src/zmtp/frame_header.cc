// SPDX-License-Identifier: Apache-2.0
#include "zmtp/frame_header.h"

#include <fmt/format.h>

#include <cstdint>

#include "transfer_queue/error.h"

namespace tq::zmtp {
namespace {

constexpr auto kMore = std::byte{1};
constexpr auto kLong = std::byte{2};
constexpr auto kCommand = std::byte{4};
constexpr auto kNone = std::byte{0};

}  // namespace

size_t header_bytes(std::byte flags) {
  if ((flags & ~(kMore | kLong | kCommand)) != kNone) {
    throw Error(ErrorCode::kDecode, fmt::format("a frame of it begins with the byte {:#04x}",
                                                std::to_integer<int>(flags)));
  }
  return (flags & kLong) != kNone ? 9 : 2;
}

FrameHeader read_header(std::span<const std::byte> bytes) {
  const std::byte flags = bytes[0];
  FrameHeader header{0, (flags & kMore) != kNone, (flags & kCommand) != kNone};
  uint64_t size = 0;
  for (const std::byte b : bytes.subspan(1, header_bytes(flags) - 1)) {
    size = size << 8 | std::to_integer<uint64_t>(b);
  }
  header.size = size;
  return header;
}

HeaderBytes write_header(const FrameHeader& header) {
  const bool is_long = header.size > 255;
  HeaderBytes written{{}, is_long ? size_t{9} : size_t{2}};
  written.bytes[0] = (header.more ? kMore : kNone) | (is_long ? kLong : kNone) |
                     (header.command ? kCommand : kNone);
  uint64_t size = header.size;
  for (size_t i = written.count - 1; i > 0; --i, size >>= 8) {
    written.bytes[i] = static_cast<std::byte>(size & 0xff);
  }
  return written;
}

}  // namespace tq::zmtp
