// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "runtime/allowed_peers.h"
#include "runtime/bind_address.h"
#include "runtime/poller.h"
#include "wire/limits.h"
#include "zmtp/stream.h"

namespace tq::runtime {

/// Who sent a message. The number is of the connection and never used twice; the identity is what
/// the peer calls itself, which any peer may.
struct PeerName {
  uint64_t connection = 0;
  std::string identity;
};

/// A received message: who sent it and its frames, which own their memory.
struct Incoming {
  PeerName peer;
  Frames frames;
};

/// What the peers of a node's sockets make it keep, all together. Used by the node's thread.
struct InFlight {
  size_t bytes = 0;  // of messages that are coming, wait for their turn or are not written
  size_t peers = 0;
};

enum class SendResult { kSent, kPeerGone, kPeerFull };

/// How a socket listens, and for whom.
struct SocketOptions {
  BindAddress address;
  int backlog = 4096;  // connections that may wait to be accepted
  AllowedPeers allowed;
  zmtp::CurvePointer curve{};  // nullptr: mechanism NULL
};

/// The server side of the protocol's sockets: a listening ROUTER, served by a Poller. Used by the
/// poller's thread.
class RouterSocket {
 public:
  /// Listens at once; throws Error(kUnavailable) naming the address when it cannot. The poller and
  /// `in_flight`, which a node's sockets share, must outlive the socket.
  RouterSocket(Poller& poller, std::string name, const SocketOptions& options,
               const wire::Limits& limits, InFlight& in_flight);
  /// Closes the connections, after a moment for the replies that are not written yet.
  ~RouterSocket();
  RouterSocket(const RouterSocket&) = delete;
  RouterSocket& operator=(const RouterSocket&) = delete;

  /// The next message that has come whole; nothing when there is none at the moment.
  std::optional<Incoming> receive();
  bool has_message() const noexcept { return !inbox_.empty(); }

  /// Sends without blocking and without copying payloads: each frame's owner lives until it is
  /// written. A peer that is gone or does not read its replies gets nothing, and the caller is
  /// told. A peer that came back under its identity gets what its old connection cannot carry.
  SendResult send(const PeerName& peer, OutMessage message);

  /// Closes connections that should have said by `now` who they are. Returns when to ask again;
  /// nothing when nobody is unknown.
  std::optional<std::chrono::steady_clock::time_point> drop_silent(
      std::chrono::steady_clock::time_point now);

  /// Connections that are open, and what their peers have not taken of their replies.
  size_t connections() const noexcept { return peers_.size(); }
  size_t unsent_bytes() const noexcept;

  const std::string& name() const noexcept { return name_; }
  int port() const noexcept { return listener_.port; }

 private:
  struct Peer {
    const uint64_t connection;
    const zmtp::IpAddress address;
    zmtp::Stream stream;
    Poller::Watch watch = 0;
    bool is_known = false;        // its handshake is done
    bool waits_to_write = false;  // the poller was told so
    size_t waiting = 0;           // messages of it in the inbox
    size_t in_flight_bytes = 0;   // its share of in_flight_
  };
  using Peers = std::unordered_map<uint64_t, std::unique_ptr<Peer>>;

  void accept_waiting();
  void refuse_one();
  bool may_come_in(const zmtp::Accepted& accepted);
  void add(zmtp::Accepted accepted);
  void serve(uint64_t connection);
  void welcome(Peer& peer);
  void log_end(const Peer& peer);
  /// After reading or writing: tells the poller what the peer waits for now, or forgets a closed
  /// one.
  void settle(Peer& peer);
  void account(Peer& peer, size_t bytes);
  void drop_heaviest();
  Peer* find(const PeerName& peer);
  void flush();

  Poller& poller_;
  const std::string name_;
  const wire::Limits limits_;
  const AllowedPeers allowed_;
  const zmtp::CurvePointer curve_;
  InFlight& in_flight_;
  zmtp::Listener listener_;
  Poller::Watch listener_watch_ = 0;
  zmtp::Descriptor spare_;  // given up to take, and close, a connection when there are no more
  uint64_t next_connection_ = 1;
  Peers peers_;
  std::unordered_map<std::string, uint64_t> by_identity_;  // the latest of each
  std::deque<std::pair<std::chrono::steady_clock::time_point, uint64_t>> unknown_;  // in order
  std::deque<Incoming> inbox_;
  size_t inbox_bytes_ = 0;
  std::vector<Frames> arrived_;
  std::chrono::steady_clock::time_point warn_again_{};  // of handshakes that were refused
};

}  // namespace tq::runtime
