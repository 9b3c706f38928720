// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "memory/out_message.h"
#include "transfer_queue/slice.h"
#include "zmtp/curve_handshake.h"
#include "zmtp/frame_reader.h"
#include "zmtp/frame_writer.h"
#include "zmtp/handshake.h"
#include "zmtp/refusal.h"
#include "zmtp/tcp.h"

namespace tq::zmtp {

/// What one peer may make us keep.
struct StreamLimits {
  size_t frame_bytes_max;
  size_t frames_max;  // of one message
  size_t message_bytes_max = SIZE_MAX;
};

/// One TCP connection that carries messages by ZeroMQ's protocol, to a peer of ours or of libzmq.
/// Never blocks: its owner polls descriptor() for reading, and for writing while wants_to_write().
/// Used by one thread at a time. Nothing that the peer sends makes it throw: it closes, and
/// why_closed() says why.
class Stream {
 public:
  /// Of a connection that was accepted or that connect_to() began; `identity` is how a ROUTER at
  /// its other end will know us. With keys everything after the greeting is encrypted, and a peer
  /// that cannot prove who it is gets no further.
  Stream(Descriptor socket, SocketType own, const StreamLimits& limits, std::string identity = "",
         const CurvePointer& curve = nullptr);

  int descriptor() const noexcept { return socket_.number(); }
  bool wants_to_write() const noexcept {
    return !is_closed() && (!writer_.empty() || (curve_ != nullptr && !held_.empty()));
  }
  /// Whether the peer has shown that it speaks the protocol, and messages go.
  bool is_ready() const noexcept { return state_ == State::kReady; }
  bool is_closed() const noexcept { return state_ == State::kClosed; }
  const std::string& why_closed() const noexcept { return why_closed_; }
  /// Whether it is in vain to try again in the same way, and why.
  Refusal refusal() const noexcept { return refusal_; }
  const std::string& peer_identity() const noexcept { return peer_identity_; }
  /// Messages that were given to send() and are not wholly written.
  size_t unsent_messages() const noexcept { return held_.size() + writer_.messages(); }

  /// Bytes that were given to send() and that the kernel has not taken.
  size_t unsent_bytes() const noexcept { return writer_.bytes() + held_bytes_; }
  /// What this peer makes us keep: of a message that has begun, and of those that are not written.
  size_t bytes_in_flight() const noexcept {
    return reader_.message_bytes() + opened_bytes_ + unsent_bytes();
  }

  /// Reads what has come, up to a few MiB, and appends the messages that are complete now.
  void read(std::vector<Frames>& messages);
  /// See FrameReader::place_bodies. In vain where bodies have to be decrypted.
  void place_bodies(Placement placement);
  /// Queues a message; before the handshake it is held back, and so is what waits to be encrypted.
  /// Its frames' owners live until the
  /// kernel has their bytes.
  void send(OutMessage message);
  /// Writes what the kernel takes.
  void write();
  void close(std::string_view reason);

 private:
  // Answers to PING that a peer may leave unread; until it reads, further ones would only take
  // memory.
  static constexpr size_t kUnsentCommandsMax = 16;

  enum class State { kGreeting, kHandshake, kReady, kClosed };

  /// recv or send: what it moved; 0 when it would block, after which the owner polls. Closes.
  size_t moved(ssize_t result);
  bool read_greeting();
  /// Adds what it read to `bytes`; returns whether there may be more to read now.
  bool read_frames(std::vector<Frames>& messages, size_t& bytes);
  void take(Frame frame, std::vector<Frames>& messages);
  void take_command(const Frame& frame);
  void add_frame(Frame frame, std::vector<Frames>& messages);
  void become_ready(std::string peer_identity);

  // Of CURVE, in stream_curve.cc.
  void shake_hands(const Frame& frame);
  void take_sealed(const Frame& frame, std::vector<Frames>& messages);
  /// Encrypts as much of what is held as the kernel may take soon.
  void seal_more();

  Descriptor socket_;
  const SocketType own_;
  const StreamLimits limits_;
  const std::string identity_;
  State state_ = State::kGreeting;
  std::string greeting_;  // of the peer, as far as it has come
  std::string peer_identity_;
  std::string why_closed_;
  FrameReader reader_;
  FrameWriter writer_;
  std::vector<Frame> arrived_;
  Frames partial_;               // the message of which the last frame has not come
  std::deque<OutMessage> held_;  // until the handshake is done, or they are encrypted
  size_t held_bytes_ = 0;

  Mechanism mechanism_ = Mechanism::kNull;
  Refusal refusal_ = Refusal::kNone;
  std::unique_ptr<CurveHandshake> handshake_;  // while it goes on, where there are keys
  std::unique_ptr<CurveTraffic> curve_;        // after it
  size_t sealed_pieces_ = 0;                   // of the first message that is held
  size_t opened_bytes_ = 0;                    // of the message of which the last has not come
};

}  // namespace tq::zmtp
