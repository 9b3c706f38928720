// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runtime/process_memory.h"
#include "runtime/request_counters.h"
#include "transfer_queue/error.h"
#include "wire/decode.h"
#include "wire/pack.h"

namespace tq::runtime {

using TimePoint = std::chrono::steady_clock::time_point;

/// A decoded request as a handler sees it.
struct Request {
  wire::Envelope envelope;
  TimePoint received_at;
};

/// An answer, encoded. `undo` (may be empty) is called when the peer turned out to be gone, so that
/// what was handed out to it (consumed samples) is given back.
struct Reply {
  wire::OutMessage frames;
  std::function<void()> undo;
  // For the counters: why the request was refused, and how many samples it was about.
  std::optional<ErrorCode> refusal = std::nullopt;
  size_t samples = 0;
};

/// The request cannot be answered yet. The loop keeps it and offers it to the actor again, in order
/// of arrival, whenever the actor reports that `topic` changed, and once more at `deadline`, when
/// the actor must reply.
struct Wait {
  std::string topic;
  TimePoint deadline;
};

/// Each is a thread of the loop that does jobs in their order, so that those of one kind never wait
/// for another kind's.
enum class Lane { kCheckpoints, kWrites, kReads };

/// Work that would delay other requests (a disk). Runs on a worker thread of the loop, so it must
/// not touch the actor's state; what it returns runs on the loop and gives the reply.
struct Job {
  std::function<std::function<Reply()>()> work;
  Lane lane = Lane::kCheckpoints;
};

using Outcome = std::variant<Reply, Wait, Job>;

/// One number of a node at this moment, under its name in docs/metrics.md.
struct Gauge {
  std::string_view name;
  std::vector<std::pair<std::string_view, std::string>> labels;
  double value;
};

/// What the loop around an actor holds at this moment.
struct LoopState {
  size_t waiting_requests = 0;  // unanswered until data comes
  size_t connections = 0;
  size_t unsent_bytes = 0;  // of replies that peers have not taken yet
  double uptime_s = 0;
};

/// One node's state machine: decoded requests in, outcomes out. It has no socket, no clock and no
/// thread; the loop owns those and calls all members from one thread. Nothing thrown.
class Actor {
 public:
  virtual ~Actor() = default;
  /// E.g. "TQ_CONTROLLER_1a2b3c4d".
  virtual const std::string& id() const = 0;
  /// Answers one request. `now` is the loop's clock; a waiting request is offered again with the
  /// same received_at, so a handler that returns Wait leaves the body as it was; others may move
  /// from it.
  virtual Outcome handle(Request& request, TimePoint now) = 0;
  /// The reply to frames that cannot be decoded.
  virtual Reply undecodable(const Error& error) = 0;
  /// The reply to a request that the loop gives up: handle() or a job threw, too many requests
  /// wait, the node stops.
  virtual Reply refused(const Request& request, const Error& error) {
    (void)request;
    return undecodable(error);
  }
  /// Topics (see Wait) that changed since the last call.
  virtual std::vector<std::string> take_changed_topics() { return {}; }

  /// Work that nobody waits for and that does not throw, for the lane of writes; empty: none.
  virtual std::function<void()> take_chores() { return {}; }

  /// The name under which requests of this type are counted, a literal; kOtherOperation for types
  /// that the actor does not serve.
  virtual std::string_view operation_of(std::string_view request_type) const {
    (void)request_type;
    return kOtherOperation;
  }
  static constexpr std::string_view kOtherOperation = "OTHER";
  RequestCounters& counters() noexcept { return counters_; }
  const RequestCounters& counters() const noexcept { return counters_; }
  /// The loop says how it can be asked for its state.
  void set_loop_state(std::function<LoopState()> ask) { loop_state_ = std::move(ask); }

 protected:
  /// What a node tells of itself beyond upstream's body of METRICS_RESPONSE: counters, the loop's
  /// state and these gauges.
  Map metrics_map(const std::vector<Gauge>& gauges) const;

 private:
  RequestCounters counters_;
  std::function<LoopState()> loop_state_;
};

/// Encodes a typed reply from `sender_id` to the request's sender; echoes our extension key when
/// the request carried one (docs/protocol.md, "x_tq").
template <class Message>
Reply make_reply(const std::string& sender_id, const wire::Envelope& request,
                 const Message& message) {
  return Reply{wire::pack_reply(sender_id, request, message), {}};
}

}  // namespace tq::runtime
