// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/uio.h>

#include <array>
#include <deque>
#include <span>
#include <string_view>
#include <vector>

#include "memory/out_message.h"
#include "zmtp/frame_header.h"

namespace tq::zmtp {

/// The bytes that a connection still has to send, as places for one vectored write; does no output
/// of its own and copies no payload: each frame's owner lives until its bytes are written. Not
/// thread-safe.
class FrameWriter {
 public:
  /// Bytes as they are: the greeting.
  void add_raw(std::string_view bytes);
  void add_command(std::string_view body);
  void add_message(OutMessage message);
  enum class Ends { kNothing, kCommand, kMessage };
  /// A frame that is whole by itself, of something that ends with it.
  void add_frame(Slice body, Ends ends);

  bool empty() const noexcept { return queue_.empty(); }
  /// Messages and commands of which not every byte is written.
  size_t messages() const noexcept { return messages_; }
  size_t commands() const noexcept { return commands_; }
  /// Bytes still to write.
  size_t bytes() const noexcept { return bytes_ - front_written_; }

  /// What to write next, as much as one call takes. Valid until the next call of a member.
  std::span<const iovec> places();
  /// The first `count` bytes of it were written.
  void written(size_t count);

 private:
  struct Part {
    HeaderBytes header;  // none where a frame continues
    Slice body;
    Ends ends;
  };

  void add(Part part);

  std::deque<Part> queue_;
  size_t messages_ = 0;
  size_t commands_ = 0;
  size_t bytes_ = 0;          // of the queue's parts
  size_t front_written_ = 0;  // bytes of the first part, header included
  std::vector<iovec> places_;
};

}  // namespace tq::zmtp
