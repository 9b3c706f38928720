// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <list>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "fuzz/fuzz_limits.h"
#include "fuzz/message_input.h"
#include "runtime/actor.h"
#include "wire/decode.h"
#include "wire/messages.h"

namespace tq::test {

/// Gives a node what a fuzzer made, as the event loop would: an input is a row of messages (see
/// message_input.h), each a byte that picks the handler and then the frames. Every message must end
/// in exactly one reply that a peer can decode.
class NodeInput {
 public:
  explicit NodeInput(runtime::Actor& node) : node_(node) {}

  /// `Requests` is the node's list of messages. A byte past it keeps the type that the message
  /// says.
  template <class Requests>
  void feed(const uint8_t* data, size_t size) {
    static const std::vector<std::string_view> types = [] {
      std::vector<std::string_view> all;
      Requests::for_each([&]<class Message>() { all.push_back(Message::kType); });
      return all;
    }();
    while (std::optional<FuzzMessage> message = next_message(data, size)) {
      Result<wire::Envelope> envelope = wire::decode(message->frames, fuzz_limits());
      if (!envelope) {
        check(node_.undecodable(envelope.error()));
        continue;
      }
      if (message->handler < types.size()) envelope->request_type = types[message->handler];
      offer({std::move(*envelope), now_});
      retry();
    }
    finish();
  }

 private:
  // True when it is answered.
  bool settled(runtime::Request& request) {
    runtime::Outcome outcome = node_.handle(request, now_);
    if (std::holds_alternative<runtime::Wait>(outcome)) return false;
    if (auto* job = std::get_if<runtime::Job>(&outcome)) {
      check(job->work()());
    } else {
      check(std::get<runtime::Reply>(outcome));
    }
    return true;
  }

  void offer(runtime::Request request) {
    if (!settled(request)) waiting_.push_back(std::move(request));
    now_ += std::chrono::seconds(1);
  }

  void retry() {
    while (!node_.take_changed_topics().empty()) {
      std::erase_if(waiting_, [&](runtime::Request& request) { return settled(request); });
    }
  }

  // Past every deadline, nobody may wait.
  void finish() {
    now_ += std::chrono::hours(1);
    for (runtime::Request& request : waiting_) require(settled(request));
  }

  void check(const runtime::Reply& reply) {
    const wire::Frames frames = reply.frames;
    Result<wire::Envelope> envelope = wire::decode(frames, wire::Limits{});
    require(envelope.ok());
    bool is_reply = false;
    wire::Replies::for_each(
        [&]<class Message>() { is_reply = is_reply || Message::kType == envelope->request_type; });
    require(is_reply);
    // Every third peer is gone before its reply.
    if (reply.undo && ++undos_ % 3 == 0) reply.undo();
  }

  runtime::Actor& node_;
  runtime::TimePoint now_{std::chrono::hours(1)};
  std::list<runtime::Request> waiting_;
  size_t undos_ = 0;
};

}  // namespace tq::test
