// SPDX-License-Identifier: Apache-2.0
#include "zmtp/stream.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "transfer_queue/error.h"

namespace tq::zmtp {
namespace {

// What one call of read() takes, so that a peer who sends without end does not hold its thread.
constexpr int kReadsInTurn = 64;
constexpr size_t kBytesInTurn = size_t{4} << 20;

constexpr size_t kScratchBytes = size_t{8} << 10;

// Where small frames and headers are received; consumed before the next read, so one a thread does.
std::span<std::byte> scratch() {
  thread_local std::array<std::byte, kScratchBytes> bytes;
  return bytes;
}

// Of a READY, with an identity and properties that we do not know; before it came, a peer shall
// cost little.
constexpr size_t kReadyBytesMax = size_t{64} << 10;

// What a frame of that size may be on the wire.
size_t sealed(size_t bytes_max, const CurvePointer& curve) {
  const size_t overhead = curve != nullptr ? CurveTraffic::kOverhead : 0;
  return bytes_max > SIZE_MAX - overhead ? SIZE_MAX : bytes_max + overhead;
}

size_t total(std::span<const iovec> places) {
  size_t bytes = 0;
  for (const iovec& place : places) bytes += place.iov_len;
  return bytes;
}

}  // namespace

Stream::Stream(Descriptor socket, SocketType own, const StreamLimits& limits, std::string identity,
               const CurvePointer& curve)
    : socket_(std::move(socket)),
      own_(own),
      limits_(limits),
      identity_(std::move(identity)),
      reader_(sealed(limits.frame_bytes_max, curve), sealed(limits.message_bytes_max, curve)) {
  if (curve != nullptr) {
    handshake_ = std::make_unique<CurveHandshake>(curve, properties_of(own_, identity_));
    mechanism_ = curve->is_server() ? Mechanism::kCurveServer : Mechanism::kCurveClient;
    reader_.expect_handshake(CurveHandshake::kCommands, CurveHandshake::kCommandBytesMax);
    reader_.place_bodies([](size_t, size_t size) { return CurveTraffic::place(size); });
  } else {
    reader_.expect_handshake(1, kReadyBytesMax);
  }
  const auto bytes = greeting(mechanism_);
  writer_.add_raw({bytes.data(), bytes.size()});
  // Without keys nothing in our READY depends on the peer, and who wants keys leaves at the
  // greeting. Said at once it saves a turn of both ends: for Python's clients before 0.1.11, which
  // connect anew for each request, one a request.
  if (handshake_ == nullptr) writer_.add_command(ready_command(own_, identity_));
}

void Stream::close(std::string_view reason) {
  if (is_closed()) return;
  if (handshake_ != nullptr && state_ == State::kHandshake && handshake_->awaits_welcome() &&
      refusal_ == Refusal::kNone) {
    refusal_ = Refusal::kSilent;
  }
  state_ = State::kClosed;
  why_closed_ = reason;
  socket_.close();
}

size_t Stream::moved(ssize_t result) {
  if (result >= 0) return static_cast<size_t>(result);
  if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
    close(std::generic_category().message(errno));
  }
  return 0;
}

void Stream::read(std::vector<Frames>& messages) {
  try {
    size_t bytes = 0;
    for (int i = 0; i < kReadsInTurn && bytes < kBytesInTurn && !is_closed(); ++i) {
      if (!(state_ == State::kGreeting ? read_greeting() : read_frames(messages, bytes))) return;
    }
  } catch (const HandshakeRefused& refused) {
    refusal_ = refused.refusal();
    if (!refused.for_peer().empty()) {
      writer_.add_command(error_command(refused.for_peer()));
      write();
    }
    close(refused.what());
  } catch (const std::exception& error) {
    close(error.what());
  }
}

void Stream::place_bodies(Placement placement) {
  if (mechanism_ == Mechanism::kNull) reader_.place_bodies(std::move(placement));
}

bool Stream::read_greeting() {
  std::array<char, kGreetingBytes> bytes;
  const ssize_t got =
      ::recv(descriptor(), bytes.data(), kGreetingBytes - greeting_.size(), MSG_DONTWAIT);
  if (got == 0) close("it closed the connection before it said what it is");
  greeting_.append(bytes.data(), moved(got));
  if (greeting_.size() < kGreetingBytes) return false;
  check_greeting(greeting_, mechanism_);
  if (handshake_ != nullptr) {
    const std::string first = handshake_->begin();
    if (!first.empty()) writer_.add_command(first);
  }
  state_ = State::kHandshake;
  write();
  return true;
}

bool Stream::read_frames(std::vector<Frames>& messages, size_t& bytes) {
  const std::span<iovec> places = reader_.places(scratch());
  const size_t asked = total(places);
  msghdr message{};
  message.msg_iov = places.data();
  message.msg_iovlen = places.size();
  const ssize_t got = ::recvmsg(descriptor(), &message, MSG_DONTWAIT);
  if (got == 0) close("it closed the connection");
  const size_t count = moved(got);
  if (count == 0) return false;
  bytes += count;
  reader_.received(count, scratch(), arrived_);
  for (Frame& frame : arrived_) take(std::move(frame), messages);
  arrived_.clear();
  return count == asked;
}

void Stream::take(Frame frame, std::vector<Frames>& messages) {
  if (state_ == State::kHandshake) {
    if (!frame.command) throw Error(ErrorCode::kDecode, "it sends messages before its handshake");
    if (handshake_ != nullptr) return shake_hands(frame);
    become_ready(read_ready(own_, frame.data.view()));
  } else if (curve_ != nullptr) {
    take_sealed(frame, messages);
  } else if (frame.command) {
    take_command(frame);
  } else {
    add_frame(std::move(frame), messages);
  }
}

void Stream::become_ready(std::string peer_identity) {
  peer_identity_ = std::move(peer_identity);
  if (!identity_.empty() && peer_identity_ == identity_) {
    // To connect to a free port of one's own machine may yield that very port.
    throw Error(ErrorCode::kDecode, "it is this connection itself");
  }
  state_ = State::kReady;
  if (curve_ == nullptr) {
    for (OutMessage& held : std::exchange(held_, {})) writer_.add_message(std::move(held));
    held_bytes_ = 0;
  }
  write();
}

void Stream::take_command(const Frame& frame) {
  std::string pong;
  if (writer_.commands() >= kUnsentCommandsMax) return;
  if (!answers_ping(frame.data.view(), pong)) return;
  writer_.add_command(pong);
  write();
}

void Stream::add_frame(Frame frame, std::vector<Frames>& messages) {
  if (partial_.size() >= limits_.frames_max) {
    throw Error(ErrorCode::kLimit,
                fmt::format("it sends a message of more than {} frames", limits_.frames_max));
  }
  partial_.push_back(std::move(frame.data));
  if (!frame.more) messages.push_back(std::exchange(partial_, {}));
}

void Stream::send(OutMessage message) {
  if (state_ == State::kReady && curve_ == nullptr) {
    writer_.add_message(std::move(message));
  } else if (!is_closed()) {
    held_bytes_ += message.bytes();
    held_.push_back(std::move(message));
  }
}

void Stream::write() {
  while (wants_to_write()) {
    if (curve_ != nullptr) seal_more();
    if (is_closed()) return;
    const std::span<const iovec> places = writer_.places();
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(places.data());
    message.msg_iovlen = places.size();
    const size_t count = moved(::sendmsg(descriptor(), &message, MSG_DONTWAIT | MSG_NOSIGNAL));
    writer_.written(count);
    if (count < total(places)) return;
  }
}

}  // namespace tq::zmtp
