// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>
#include <zmq.hpp>

#include "faults/mutator.h"

namespace tq::test {

/// A libzmq socket that sends a node what a mutator makes, as fast as it can. Not thread-safe.
class HostileDealer {
 public:
  /// A reply that has not come after `patience_ms` does not come.
  HostileDealer(zmq::context_t& context, const std::string& endpoint, Mutator mutator,
                int patience_ms)
      : socket_(context, zmq::socket_type::dealer), mutator_(std::move(mutator)) {
    socket_.set(zmq::sockopt::sndhwm, 0);
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::rcvtimeo, patience_ms);
    socket_.connect(endpoint);
  }

  void send_one() {
    const Mutator::Message message = mutator_.next();
    for (size_t i = 0; i < message.size(); ++i) {
      const bool more = i + 1 < message.size();
      socket_.send(zmq::buffer(message[i]),
                   more ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
    ++unanswered_;
  }

  /// The frames of the next reply; nothing when none came in time.
  std::optional<std::vector<zmq::message_t>> take_reply() {
    std::vector<zmq::message_t> frames;
    do {
      if (!socket_.recv(frames.emplace_back())) return std::nullopt;
    } while (socket_.get(zmq::sockopt::rcvmore));
    --unanswered_;
    return frames;
  }

  /// Whether something is here already.
  bool has_more() { return (socket_.get(zmq::sockopt::events) & ZMQ_POLLIN) != 0; }

  size_t unanswered() const noexcept { return unanswered_; }

 private:
  zmq::socket_t socket_;
  Mutator mutator_;
  size_t unanswered_ = 0;
};

}  // namespace tq::test
