// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>

#include "wire/slice.h"

namespace tq::test {

/// Takes a block off the front of a fuzzer's input: u64 length and its bytes, as in the recorded
/// .msg files. A length past the end takes what is left. Requires eight bytes.
inline wire::Slice next_frame(const uint8_t*& data, size_t& size) {
  uint64_t length = 0;
  std::memcpy(&length, data, sizeof length);
  data += sizeof length;
  size -= sizeof length;
  const size_t take = length < size ? static_cast<size_t>(length) : size;
  // An exact block for ASan.
  wire::Slice frame = wire::Slice::copy_of({reinterpret_cast<const char*>(data), take});
  data += take;
  size -= take;
  return frame;
}

/// A fuzzer's flat input as the frames of one message, so that recorded messages are the corpus.
inline wire::Frames frames_of_input(const uint8_t* data, size_t size) {
  wire::Frames frames;
  while (size >= sizeof(uint64_t) && frames.size() < 64) frames.push_back(next_frame(data, size));
  return frames;
}

/// One of several messages in an input.
struct FuzzMessage {
  uint8_t handler;
  wire::Frames frames;
};

/// Takes one off the front: the byte of the handler, the number of frames, the frames. Nothing at
/// the end.
inline std::optional<FuzzMessage> next_message(const uint8_t*& data, size_t& size) {
  if (size < 2) return std::nullopt;
  FuzzMessage message{data[0], {}};
  const size_t count = data[1] % 64;
  data += 2;
  size -= 2;
  while (size >= sizeof(uint64_t) && message.frames.size() < count) {
    message.frames.push_back(next_frame(data, size));
  }
  return message;
}

}  // namespace tq::test
