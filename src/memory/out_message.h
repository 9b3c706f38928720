// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "transfer_queue/slice.h"

namespace tq {

/// A message to be sent, without the identity: header first, then the buffers. A frame may be of
/// several pieces, which its receiver gets as one: rows that lie apart go out as one buffer without
/// being gathered before.
class OutMessage {
 public:
  struct Piece {
    Slice data;
    size_t frame_bytes;  // of the whole frame, in its first piece; else kContinues
  };
  static constexpr size_t kContinues = SIZE_MAX;
  /// Rows that lie in pieces smaller than this on average are better gathered: a place in the
  /// kernel's list costs more than a copy then.
  static constexpr size_t kPieceBytesMin = 1024;

  OutMessage() = default;
  /// A frame a slice.
  OutMessage(Frames frames) {
    pieces_.reserve(frames.size());
    for (Slice& frame : frames) add(std::move(frame));
  }

  void add(Slice frame) {
    const size_t size = frame.size;
    pieces_.push_back({std::move(frame), size});
    ++frames_;
  }
  /// One frame of these, one after the other. Requires at least one.
  void add(std::vector<Slice> pieces);
  /// Requires a frame of one piece there.
  void set_first(Slice frame) {
    pieces_[0].frame_bytes = frame.size;
    pieces_[0].data = std::move(frame);
  }

  size_t frames() const noexcept { return frames_; }
  bool empty() const noexcept { return frames_ == 0; }
  size_t bytes() const noexcept;
  std::span<const Piece> pieces() const noexcept { return pieces_; }
  std::span<Piece> pieces() noexcept { return pieces_; }

  /// As a receiver gets it; frames of several pieces are gathered.
  operator Frames() const;

 private:
  std::vector<Piece> pieces_;
  size_t frames_ = 0;
};

}  // namespace tq
