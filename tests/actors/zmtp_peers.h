// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>
#include <zmq.hpp>

#include "support/zmtp_bytes.h"
#include "transfer_queue/slice.h"
#include "zmtp/tcp.h"

namespace tq::test {

inline constexpr int kPatienceMs = 30'000;  // what does not come by then is a failure, not a hang

inline constexpr size_t kMiB = size_t{1} << 20;

/// Frames as a test writes and compares them.
using Texts = std::vector<std::string>;

inline Frames frames_of(const Texts& texts) {
  Frames frames;
  for (const std::string& text : texts) frames.push_back(Slice::copy_of(text));
  return frames;
}
inline Texts texts_of(const Frames& frames) {
  Texts texts;
  for (const Slice& frame : frames) texts.emplace_back(frame.view());
  return texts;
}

inline const std::vector<Texts>& messages_of_all_kinds() {
  static const std::vector<Texts> kMessages = {
      {""},
      {"a"},
      {"", "after an empty one"},
      {patterned(255), patterned(256), patterned(65535), patterned(65536)},
      Texts(1000, "small"),
      Texts(300, patterned(4096)),
      {patterned(kMiB + 1), "", patterned(3 * kMiB), "end"},
      {patterned(20 * kMiB)},
  };
  return kMessages;
}

/// The bytes of a message on the wire.
inline std::string zmtp_message(const Texts& texts) {
  std::string bytes;
  for (size_t i = 0; i < texts.size(); ++i) {
    bytes += zmtp_frame(i + 1 < texts.size() ? kMoreFlag : kLastFlag, texts[i]);
  }
  return bytes;
}

inline void send_texts(zmq::socket_t& socket, const Texts& texts) {
  for (size_t i = 0; i < texts.size(); ++i) {
    socket.send(zmq::buffer(texts[i]),
                i + 1 < texts.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
  }
}
/// Throws when nothing comes.
inline Texts receive_texts(zmq::socket_t& socket) {
  Texts texts;
  zmq::message_t part;
  do {
    if (!socket.recv(part, zmq::recv_flags::none)) throw std::runtime_error("nothing came");
    texts.emplace_back(part.to_string_view());
  } while (part.more());
  return texts;
}

inline zmq::socket_t patient_socket(zmq::context_t& context, zmq::socket_type type) {
  zmq::socket_t socket(context, type);
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::rcvtimeo, kPatienceMs);
  socket.set(zmq::sockopt::sndtimeo, kPatienceMs);
  return socket;
}

/// A TCP connection that a test writes and reads byte by byte. Throws when the other end does not
/// do what is awaited.
class RawPeer {
 public:
  explicit RawPeer(zmtp::Descriptor socket) : socket_(std::move(socket)) {
    const timeval patience{kPatienceMs / 1000, 0};
    ::setsockopt(socket_.number(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket_.number(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  }
  /// Not connected yet.
  RawPeer() : RawPeer(zmtp::Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))) {}
  static RawPeer to(int port) {
    RawPeer peer;
    peer.connect(port);
    return peer;
  }
  void connect(int port) {
    sockaddr_in to = loopback(port);
    if (::connect(descriptor(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
      throw std::runtime_error("cannot connect");
    }
  }

  int descriptor() const { return socket_.number(); }

  /// Of no consequence when the other end is gone: is_closed() tells.
  void say(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  std::string hear(size_t count) {
    std::string bytes(count, '\0');
    if (::recv(descriptor(), bytes.data(), count, MSG_WAITALL) != static_cast<ssize_t>(count)) {
      throw std::runtime_error("the connection ended, or nothing came");
    }
    return bytes;
  }
  Texts hear_message(size_t frames) {
    Texts texts;
    for (size_t i = 0; i < frames; ++i) texts.push_back(hear_frame());
    return texts;
  }
  /// The body of the next frame.
  std::string hear_frame() {
    const std::string flags = hear(1);
    size_t size = 0;
    for (const char c : hear((flags[0] & kLongFlag) != 0 ? 8 : 1)) {
      size = size << 8 | static_cast<unsigned char>(c);
    }
    return size == 0 ? "" : hear(size);
  }
  void shake_hands(std::string_view type, std::string_view identity = "") {
    say(zmtp_greeting() + zmtp_frame(kCommandFlag, zmtp_ready(type, identity)));
    hear(zmtp_greeting().size());
    hear_frame();
  }
  /// Waits for the other end to close, whatever it says before.
  bool is_closed() {
    std::array<char, 4096> bytes;
    ssize_t got = 1;
    while (got > 0) got = ::recv(descriptor(), bytes.data(), bytes.size(), 0);
    return got == 0 || errno == ECONNRESET;
  }
  /// Whether the other end closed before it said these words.
  bool is_closed_before(std::string_view words) {
    std::string heard;
    std::array<char, 4096> bytes;
    while (heard.find(words) == std::string::npos) {
      const ssize_t got = ::recv(descriptor(), bytes.data(), bytes.size(), 0);
      if (got <= 0) return true;
      heard.append(bytes.data(), static_cast<size_t>(got));
    }
    return false;
  }
  /// Ends the connection as a machine does that lost its memory.
  void reset() {
    const linger at_once{1, 0};
    ::setsockopt(descriptor(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    socket_.close();
  }

  static sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

 private:
  zmtp::Descriptor socket_;
};

/// Where connections to a raw peer arrive. Before listen(), its port refuses them.
class RawListener {
 public:
  RawListener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{kPatienceMs / 1000, 0};
    ::setsockopt(socket_.number(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address = RawPeer::loopback(0);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket_.number(), any, size) != 0) throw std::runtime_error("cannot bind");
    ::getsockname(socket_.number(), any, &size);
    port_ = ntohs(address.sin_port);
  }
  void listen() { ::listen(socket_.number(), 16); }
  int port() const { return port_; }
  RawPeer accept() {
    zmtp::Descriptor socket(::accept4(socket_.number(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket.is_open()) throw std::runtime_error("nobody connected");
    return RawPeer(std::move(socket));
  }

 private:
  zmtp::Descriptor socket_;
  int port_ = 0;
};

}  // namespace tq::test
