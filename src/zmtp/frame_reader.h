// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "transfer_queue/slice.h"

namespace tq::zmtp {

/// One frame off the wire.
struct Frame {
  Slice data;
  bool more = false;     // the message goes on
  bool command = false;  // no part of a message
};

/// Where the body of a message's frame is to be received, by its number in the message and its
/// size: a slice of that size and its memory, or nothing, and memory is taken for it.
using Placement = std::function<std::pair<Slice, std::byte*>(size_t frame, size_t size)>;

/// Cuts the bytes of a connection into frames, whatever the pieces they come in; does no input of
/// its own. A large body is received where it will stay, so it is copied by the kernel alone. Not
/// thread-safe.
class FrameReader {
 public:
  explicit FrameReader(size_t frame_bytes_max, size_t message_bytes_max = SIZE_MAX)
      : frame_bytes_max_(frame_bytes_max), message_bytes_max_(message_bytes_max) {}

  /// Bounds the next `frames` frames further: those that come before anything is known of the peer.
  void expect_handshake(size_t frames, size_t bytes_max) {
    handshake_frames_ = frames;
    handshake_bytes_max_ = bytes_max;
  }

  /// For the messages that begin from now on; an empty one ends it.
  void place_bodies(Placement placement) { placement_ = std::move(placement); }

  /// Where the next bytes go: into what is left of a body, then into `scratch`, whose content
  /// received() consumes whole, so that one scratch serves many connections. Returns the places.
  std::span<iovec> places(std::span<std::byte> scratch);
  /// `count` bytes were put there. Appends the frames that are complete now. Throws Error(kDecode)
  /// for what is no frame, Error(kLimit) for one that is too large; the connection is of no use
  /// then.
  void received(size_t count, std::span<const std::byte> scratch, std::vector<Frame>& frames);

  /// Of the message that has begun and not ended: its frames so far, the announced one whole.
  size_t message_bytes() const noexcept { return message_bytes_; }

 private:
  void consume(std::span<const std::byte> bytes, std::vector<Frame>& frames);
  /// Takes the header's bytes off the front; false when more are needed.
  bool complete_header(std::span<const std::byte>& bytes);
  void begin_body();
  void check_size(size_t size);
  void end_body(std::vector<Frame>& frames);
  std::pair<Slice, std::byte*> place_of_body() const;

  /// What to read beyond what is known to come.
  size_t read_ahead() const noexcept;

  static constexpr size_t kHeaderBytesMax = 9;

  const size_t frame_bytes_max_;
  const size_t message_bytes_max_;
  std::array<std::byte, kHeaderBytesMax> header_{};
  size_t handshake_frames_ = 0;
  size_t handshake_bytes_max_ = 0;
  size_t header_size_ = 0;  // bytes of it that have come
  Placement placement_;
  size_t frame_number_ = 0;  // in its message
  size_t message_bytes_ = 0;
  Frame frame_;  // the one whose body is being received
  std::byte* to_ = nullptr;
  size_t left_ = 0;     // bytes of its body still to come
  bool large_ = false;  // the body that came last, or is coming
  std::array<iovec, 2> places_{};
};

}  // namespace tq::zmtp
