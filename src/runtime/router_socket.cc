// SPDX-License-Identifier: Apache-2.0
#include "runtime/router_socket.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>

#include "runtime/frames.h"
#include "transfer_queue/endpoint.h"
#include "transfer_queue/error.h"

namespace tq::runtime {
namespace {

// How long a closed socket may take to hand its last replies to the kernel.
constexpr int kLingerMs = 500;

int port_of(const std::string& endpoint) {
  return std::atoi(endpoint.c_str() + endpoint.rfind(':') + 1);
}

}  // namespace

RouterSocket::RouterSocket(zmq::context_t& context, std::string name, const BindAddress& address,
                           int backlog, const wire::Limits& limits)
    : socket_(context, zmq::socket_type::router), name_(std::move(name)) {
  socket_.set(zmq::sockopt::linger, kLingerMs);
  socket_.set(zmq::sockopt::backlog, backlog);
  socket_.set(zmq::sockopt::ipv6, address.is_ipv6() ? 1 : 0);
  socket_.set(zmq::sockopt::tcp_keepalive, 1);
  socket_.set(zmq::sockopt::maxmsgsize, static_cast<int64_t>(limits.frame_bytes_max));
  // A peer that is gone is reported instead of ignored.
  socket_.set(zmq::sockopt::router_mandatory, true);
  // A peer that comes back before its old connection timed out takes its identity over; without
  // this its requests would be dropped and it would wait for ever. The price, in libzmq 4.3: should
  // the old connection be alive after all and send once more, its descriptor is never closed.
  socket_.set(zmq::sockopt::router_handover, true);
  try {
    socket_.bind(tcp_endpoint(address.host, address.port));
  } catch (const zmq::error_t& error) {
    throw Error(ErrorCode::kUnavailable,
                fmt::format("cannot listen on {} for {}: {}",
                            tcp_endpoint(address.host, address.port), name_, error.what()));
  }
  port_ = port_of(socket_.get(zmq::sockopt::last_endpoint));
}

std::optional<Incoming> RouterSocket::receive() {
  zmq::message_t part;
  if (!socket_.recv(part, zmq::recv_flags::dontwait)) return std::nullopt;
  Incoming incoming{part.to_string(), {}};
  bool more = part.more();
  while (more) {
    zmq::message_t next;
    // Parts of one message arrive together, so this does not block.
    if (!socket_.recv(next, zmq::recv_flags::none)) break;
    more = next.more();
    incoming.frames.push_back(to_slice(std::move(next)));
  }
  return incoming;
}

SendResult RouterSocket::send(const std::string& identity, wire::Frames frames) {
  constexpr auto kFlags = zmq::send_flags::dontwait | zmq::send_flags::sndmore;
  try {
    if (!socket_.send(zmq::buffer(identity), kFlags)) return SendResult::kPeerFull;
    for (size_t i = 0; i < frames.size(); ++i) {
      const bool last = i + 1 == frames.size();
      socket_.send(to_message(std::move(frames[i])), last ? zmq::send_flags::dontwait : kFlags);
    }
    return SendResult::kSent;
  } catch (const zmq::error_t& error) {
    if (error.num() == EHOSTUNREACH) return SendResult::kPeerGone;
    throw;
  }
}

}  // namespace tq::runtime
