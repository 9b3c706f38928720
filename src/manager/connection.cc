// SPDX-License-Identifier: Apache-2.0
#include "manager/connection.h"

#include <fmt/format.h>

#include <atomic>
#include <cstring>

#include "runtime/frames.h"
#include "transfer_queue/error.h"

namespace tq::manager {
namespace {

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
  try {
    const std::string address = next_monitor_address();
    constexpr int kEvents = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
    if (zmq_socket_monitor(socket_.handle(), address.c_str(), kEvents) != 0) {
      throw zmq::error_t();
    }
    monitor_.connect(address);
    socket_.connect(endpoint);
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
    if (!socket_.send(runtime::to_message(std::move(frames[i])),
                      more | zmq::send_flags::dontwait)) {
      throw Error(ErrorCode::kUnavailable, "the connection takes no more messages");
    }
  }
}

std::optional<wire::Frames> Connection::receive() {
  zmq::message_t part;
  if (!socket_.recv(part, zmq::recv_flags::dontwait)) return std::nullopt;
  wire::Frames frames;
  while (true) {
    const bool more = part.more();
    frames.push_back(runtime::to_slice(std::move(part)));
    if (!more) return frames;
    part = zmq::message_t();
    if (!socket_.recv(part, zmq::recv_flags::none)) return std::nullopt;
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
  while (monitor_.recv(event, zmq::recv_flags::dontwait)) {
    uint16_t number = 0;
    if (event.size() >= sizeof number) std::memcpy(&number, event.data(), sizeof number);
    if (number == ZMQ_EVENT_DISCONNECTED) lost_ = true;
    if (number == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) reached_ = true;
    zmq::message_t address;
    (void)monitor_.recv(address, zmq::recv_flags::none);
  }
}

}  // namespace tq::manager
