// SPDX-License-Identifier: Apache-2.0
#include "checkpoint/writer.h"

#include <fmt/format.h>

#include <utility>

#include "transfer_queue/error.h"
#include "wire/limits.h"

namespace tq::checkpoint {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

// What no Reader would take must not be written.
void check_readable(const OutMessage& value) {
  const wire::Limits limits;
  const size_t header_bytes = value.empty() ? 0 : value.pieces()[0].data.size;
  if (value.frames() <= limits.frames_max && header_bytes <= limits.header_bytes_max) return;
  throw Error(
      ErrorCode::kLimit,
      fmt::format("a value of {} buffers and {} bytes around them cannot be saved; the "
                  "limits are {} and {}",
                  value.frames(), header_bytes, limits.frames_max, limits.header_bytes_max));
}

}  // namespace

Writer::Writer(Kind kind, Sink sink) : sink_(std::move(sink)) {
  buffer_.reserve(kBufferBytes);
  add(kMagic);
  add_number(kVersion, 4);
  add_number(static_cast<uint32_t>(kind), 4);
}

void Writer::section(Tag tag, const OutMessage& value) {
  check_readable(value);
  add_number(static_cast<uint32_t>(tag), 4);
  add_number(value.frames(), 4);
  add_number(value.bytes(), 8);
  for (const OutMessage::Piece& piece : value.pieces()) {
    if (piece.frame_bytes != OutMessage::kContinues) add_number(piece.frame_bytes, 8);
  }
  for (const OutMessage::Piece& piece : value.pieces()) add(piece.data.view());
  add_number(checksum_.value(), 8);
}

Summary Writer::finish() {
  section(Tag::kEnd, {});
  flush();
  return {size_bytes_, checksum_.value()};
}

void Writer::add(std::string_view bytes) {
  checksum_.add(bytes);
  size_bytes_ += bytes.size();
  if (buffer_.size() + bytes.size() > kBufferBytes) flush();
  if (bytes.size() >= kBufferBytes) {
    sink_(bytes);
  } else {
    buffer_ += bytes;
  }
}

void Writer::add_number(uint64_t number, size_t bytes) {
  char encoded[8];
  for (size_t i = 0; i < bytes; ++i) encoded[i] = static_cast<char>(number >> (8 * i));
  add({encoded, bytes});
}

void Writer::flush() {
  if (!buffer_.empty()) sink_(buffer_);
  buffer_.clear();
}

}  // namespace tq::checkpoint
