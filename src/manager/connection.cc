// SPDX-License-Identifier: Apache-2.0
#include "manager/connection.h"

#include <fmt/format.h>

#include <atomic>
#include <cstring>

#include "runtime/frames.h"
#include "transfer_queue/error.h"

namespace tq::manager {
namespace {

// What a socket does, again when a signal that the host program handles interrupts it.
template <class F>
auto uninterrupted(F&& act) {
  while (true) {
    try {
      return act();
    } catch (const zmq::error_t& error) {
      if (error.num() != EINTR) throw;
    }
  }
}

std::string next_monitor_address() {
  static std::atomic<uint64_t> next{0};
  return fmt::format("inproc://tq-monitor-{}", next.fetch_add(1));
}

}  // namespace

Connection::Connection(zmq::context_t& context, const std::string& endpoint,
                       const std::string& identity)
    : socket_(context, zmq::socket_type::dealer), monitor_(context, zmq::socket_type::pair) {
  socket_.set(zmq::sockopt::linger, 0);  // a request given up must not hold the process
  socket_.set(zmq::sockopt::routing_id, identity);
  socket_.set(zmq::sockopt::ipv6, endpoint.find('[') != std::string::npos ? 1 : 0);
  socket_.set(zmq::sockopt::tcp_keepalive, 1);
  monitor_.set(zmq::sockopt::linger, 0);
  const std::string address = next_monitor_address();
  constexpr int kEvents = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
  if (zmq_socket_monitor(socket_.handle(), address.c_str(), kEvents) != 0) throw zmq::error_t();
  uninterrupted([&] { monitor_.connect(address); });
  uninterrupted([&] { socket_.connect(endpoint); });
}

std::unique_ptr<Connection> Connection::open(zmq::context_t& context, const std::string& endpoint,
                                             const std::string& identity) {
  try {
    return uninterrupted(
        [&] { return std::unique_ptr<Connection>(new Connection(context, endpoint, identity)); });
  } catch (const zmq::error_t& error) {
    throw Error(ErrorCode::kUnavailable,
                fmt::format("cannot open a connection to {}: {}", endpoint, error.what()));
  }
}

Connection::~Connection() { zmq_socket_monitor(socket_.handle(), nullptr, 0); }

void Connection::send(wire::Frames frames) {
  read_news();  // what happened before this request does not concern it
  lost_ = false;
  for (size_t i = 0; i < frames.size(); ++i) {
    const auto more = i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none;
    zmq::message_t message = runtime::to_message(std::move(frames[i]));
    const auto sent =
        uninterrupted([&] { return socket_.send(message, more | zmq::send_flags::dontwait); });
    if (!sent) {
      throw Error(ErrorCode::kUnavailable, "the connection takes no more messages");
    }
  }
}

std::optional<wire::Frames> Connection::receive() {
  zmq::message_t part;
  const auto receive_part = [&](zmq::recv_flags flags) {
    return uninterrupted([&] { return socket_.recv(part, flags).has_value(); });
  };
  if (!receive_part(zmq::recv_flags::dontwait)) return std::nullopt;
  wire::Frames frames;
  while (true) {
    const bool more = part.more();
    frames.push_back(runtime::to_slice(std::move(part)));
    if (!more) return frames;
    part = zmq::message_t();
    if (!receive_part(zmq::recv_flags::none)) return std::nullopt;
  }
}

bool Connection::lost() {
  read_news();
  return lost_;
}

bool Connection::reached() {
  read_news();
  return reached_;
}

void Connection::read_news() {
  zmq::message_t event;
  const auto receive = [&](zmq::message_t& part, zmq::recv_flags flags) {
    return uninterrupted([&] { return monitor_.recv(part, flags).has_value(); });
  };
  while (receive(event, zmq::recv_flags::dontwait)) {
    uint16_t number = 0;
    if (event.size() >= sizeof number) std::memcpy(&number, event.data(), sizeof number);
    if (number == ZMQ_EVENT_DISCONNECTED) lost_ = true;
    if (number == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) reached_ = true;
    zmq::message_t address;
    receive(address, zmq::recv_flags::none);
  }
}

}  // namespace tq::manager
