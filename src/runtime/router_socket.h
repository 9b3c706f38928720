// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <zmq.hpp>

#include "runtime/bind_address.h"
#include "wire/limits.h"
#include "wire/slice.h"

namespace tq::runtime {

/// A received message: who sent it and its frames, which own their memory.
struct Incoming {
  std::string identity;
  wire::Frames frames;
};

enum class SendResult { kSent, kPeerGone, kPeerFull };

/// The server side of the protocol's sockets: a bound ROUTER. Used by one thread.
class RouterSocket {
 public:
  /// Binds at once; throws Error(kUnavailable) naming the address when it cannot.
  RouterSocket(zmq::context_t& context, std::string name, const BindAddress& address, int backlog,
               const wire::Limits& limits);

  /// The next message, nothing when there is none at the moment. Never blocks. All parts are taken
  /// out of the socket whatever they hold.
  std::optional<Incoming> receive();

  /// Sends without blocking and without copying payloads: each frame's owner lives until libzmq has
  /// written it. A peer that is gone or does not read its replies gets nothing, and the caller is
  /// told.
  SendResult send(const std::string& identity, wire::Frames frames);

  const std::string& name() const noexcept { return name_; }
  int port() const noexcept { return port_; }
  zmq::socket_ref ref() noexcept { return socket_; }

 private:
  zmq::socket_t socket_;
  std::string name_;
  int port_ = 0;
};

}  // namespace tq::runtime
