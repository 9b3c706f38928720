// SPDX-License-Identifier: Apache-2.0
#include "zmtp/frame_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "transfer_queue/error.h"
#include "zmtp/frame_header.h"

namespace tq::zmtp {
namespace {

// The most that one read takes for a body, so that the other connections of a thread get their
// turn.
constexpr size_t kReadBytesMax = size_t{1} << 20;

// What a read may take beyond what is known to come. It has to be copied to where it stays, so it
// is little: small bodies are read many at once, and of a large one no more than this is copied.
constexpr size_t kReadAhead = size_t{4} << 10;

}  // namespace

std::span<iovec> FrameReader::places(std::span<std::byte> scratch) {
  if (left_ == 0) {
    places_[0] = {scratch.data(), std::min(read_ahead(), scratch.size())};
    return {places_.data(), 1};
  }
  places_[0] = {to_, std::min(left_, kReadBytesMax)};
  if (left_ > kReadBytesMax) return {places_.data(), 1};
  places_[1] = {scratch.data(), std::min(read_ahead(), scratch.size())};
  return {places_.data(), 2};
}

// After a large body of a message another is likely: then up to the next body only.
size_t FrameReader::read_ahead() const noexcept {
  return large_ && frame_number_ > 0 ? kHeaderBytesMax : kReadAhead;
}

void FrameReader::received(size_t count, std::span<const std::byte> scratch,
                           std::vector<Frame>& frames) {
  if (left_ > 0) {
    const size_t of_body = std::min(count, places_[0].iov_len);
    to_ += of_body;
    left_ -= of_body;
    count -= of_body;
    if (left_ > 0) return;
    end_body(frames);
  }
  consume(scratch.first(count), frames);
}

void FrameReader::consume(std::span<const std::byte> bytes, std::vector<Frame>& frames) {
  while (!bytes.empty() && complete_header(bytes)) {
    begin_body();
    const size_t here = std::min(left_, bytes.size());
    if (here > 0) std::memcpy(to_, bytes.data(), here);
    to_ += here;
    left_ -= here;
    bytes = bytes.subspan(here);
    if (left_ == 0) end_body(frames);
  }
}

bool FrameReader::complete_header(std::span<const std::byte>& bytes) {
  const auto take = [&](size_t size) {
    const size_t count = std::min(size - header_size_, bytes.size());
    std::memcpy(header_.data() + header_size_, bytes.data(), count);
    header_size_ += count;
    bytes = bytes.subspan(count);
    return header_size_ == size;
  };
  if (header_size_ == 0 && !take(1)) return false;
  return take(header_bytes(header_[0]));
}

void FrameReader::check_size(size_t size) {
  size_t bytes_max = frame_bytes_max_;
  if (handshake_frames_ > 0) {
    --handshake_frames_;
    bytes_max = std::min(bytes_max, handshake_bytes_max_);
  }
  if (size <= bytes_max) return;
  throw Error(ErrorCode::kLimit,
              fmt::format("it sends a frame of {} bytes; the limit is {}", size, bytes_max));
}

void FrameReader::begin_body() {
  const FrameHeader header = read_header(header_);
  header_size_ = 0;
  check_size(header.size);
  if (!header.command) {
    // Both are checked, so the sum cannot overflow.
    if (header.size > message_bytes_max_ - message_bytes_) {
      throw Error(ErrorCode::kLimit,
                  fmt::format("it sends a message of more than {} bytes", message_bytes_max_));
    }
    message_bytes_ += header.size;
  }
  frame_ = Frame{Slice{}, header.more, header.command};
  left_ = header.size;
  large_ = header.size >= kReadAhead;
  if (left_ > 0) std::tie(frame_.data, to_) = place_of_body();
  if (!header.command) frame_number_ = header.more ? frame_number_ + 1 : 0;
}

void FrameReader::end_body(std::vector<Frame>& frames) {
  if (!frame_.command && !frame_.more) message_bytes_ = 0;
  frames.push_back(std::move(frame_));
}

std::pair<Slice, std::byte*> FrameReader::place_of_body() const {
  if (placement_ && !frame_.command) {
    std::pair<Slice, std::byte*> place = placement_(frame_number_, left_);
    if (place.second != nullptr) return place;
  }
  return Slice::allocate(left_);
}

}  // namespace tq::zmtp
