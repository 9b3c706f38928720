// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <zmq.hpp>

#include "wire/slice.h"

namespace tq::manager {

/// A DEALER connected to one node's socket. It carries one request at a time, for replies of Python
/// nodes are told apart by their order alone. Used by one thread at a time.
class Connection {
 public:
  /// Connecting happens in the background; throws Error(kUnavailable) only for an address that
  /// libzmq does not take, or when there are no more sockets.
  static std::unique_ptr<Connection> open(zmq::context_t& context, const std::string& endpoint,
                                          const std::string& identity);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Queues the frames without copying payloads. Throws Error(kUnavailable) when libzmq does not
  /// take them at once.
  void send(wire::Frames frames);
  /// The reply, if it has arrived whole.
  std::optional<wire::Frames> receive();
  /// Whether the connection was lost since the last send, so that no reply will come on it.
  bool lost();
  /// Whether a peer that speaks ZeroMQ was ever there.
  bool reached();

  /// What zmq::poll waits for: a reply, and news about the connection.
  zmq::socket_ref socket() noexcept { return socket_; }
  zmq::socket_ref monitor() noexcept { return monitor_; }

 private:
  Connection(zmq::context_t& context, const std::string& endpoint, const std::string& identity);
  void read_news();

  zmq::socket_t socket_;
  zmq::socket_t monitor_;
  bool lost_ = false;
  bool reached_ = false;
};

}  // namespace tq::manager
