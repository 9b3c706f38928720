// SPDX-License-Identifier: Apache-2.0
#include "memory/out_message.h"

#include <cstring>

namespace tq {

void OutMessage::add(std::vector<Slice> pieces) {
  size_t size = 0;
  for (const Slice& piece : pieces) size += piece.size;
  pieces_.reserve(pieces_.size() + pieces.size());
  for (Slice& piece : pieces) {
    pieces_.push_back({std::move(piece), std::exchange(size, kContinues)});
  }
  ++frames_;
}

size_t OutMessage::bytes() const noexcept {
  size_t bytes = 0;
  for (const Piece& piece : pieces_) bytes += piece.data.size;
  return bytes;
}

OutMessage::operator Frames() const {
  Frames frames;
  frames.reserve(frames_);
  std::byte* to = nullptr;  // into a frame of several pieces
  for (const Piece& piece : pieces_) {
    const bool begins = piece.frame_bytes != kContinues;
    if (begins && piece.frame_bytes == piece.data.size) {
      frames.push_back(piece.data);
      continue;
    }
    if (begins) {
      auto [frame, start] = Slice::allocate(piece.frame_bytes);
      frames.push_back(std::move(frame));
      to = start;
    }
    if (piece.data.empty()) continue;
    std::memcpy(to, piece.data.data, piece.data.size);
    to += piece.data.size;
  }
  return frames;
}

}  // namespace tq
