// SPDX-License-Identifier: Apache-2.0
#include "runtime/event_loop.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <unordered_set>

#include "wire/utf8.h"

namespace tq::runtime {
namespace {

// Messages taken from one socket before the others get their turn.
constexpr int kMessagesInTurn = 64;
// The longest sleep of an idle loop with waiting requests; deadlines shorten it.
constexpr int kForeverMs = -1;

TimePoint now() { return std::chrono::steady_clock::now(); }

// What a peer sent may hold anything; a log line stays one line of text.
using wire::printable;
constexpr size_t kSentenceBytesMax = 2000;

}  // namespace

EventLoop::EventLoop(Actor& actor, const wire::Limits& limits, const HeavyRequest& heavy,
                     std::function<void()> when_idle)
    : actor_(actor),
      limits_(limits),
      heavy_(heavy),
      when_idle_(std::move(when_idle)),
      started_(now()) {
  actor_.set_loop_state([this] { return state(); });
  poller_.watch(wakeup_.descriptor(), [this] { wakeup_.drain(); });
}

EventLoop::~EventLoop() { actor_.set_loop_state({}); }

const RouterSocket& EventLoop::listen(std::string name, const SocketOptions& options) {
  sockets_.push_back(
      std::make_unique<RouterSocket>(poller_, std::move(name), options, limits_, in_flight_));
  return *sockets_.back();
}

void EventLoop::stop() noexcept {
  stopping_ = true;
  wakeup_.notify();
}

void EventLoop::run() {
  while (!stopping_) {
    poller_.wait(poll_timeout_ms());
    finish_jobs();
    for (const auto& socket : sockets_) serve(*socket);
    expire_waiting();
    start_chores();
    rest_when_idle();
  }
  refuse_waiting();
  sockets_.clear();  // here, for a socket belongs to its thread
}

void EventLoop::serve(RouterSocket& socket) {
  for (int i = 0; i < kMessagesInTurn && !stopping_; ++i) {
    std::optional<Incoming> incoming = socket.receive();
    if (!incoming) return;
    serve_one(socket, std::move(*incoming));
  }
}

void EventLoop::serve_one(RouterSocket& socket, Incoming incoming) {
  Pending pending{&socket, std::move(incoming.peer), {}, {}, {}};
  for (const wire::Slice& frame : incoming.frames) pending.bytes += frame.size;
  const TimePoint received = now();
  pending.request.received_at = received;
  if (when_idle_) idle_at_ = received + kIdle;
  Result<wire::Envelope> decoded = wire::decode(incoming.frames, limits_);
  incoming.frames.clear();  // what a row does not keep is freed before the reply is made
  if (!decoded) {
    spdlog::warn("{}: cannot decode a message from '{}' on {}: {}", actor_.id(),
                 printable(pending.peer.identity), socket.name(),
                 printable(decoded.error().what(), kSentenceBytesMax));
    Reply reply = actor_.undecodable(decoded.error());
    reply.refusal = ErrorCode::kDecode;
    return send(pending, std::move(reply));
  }
  pending.request = Request{std::move(*decoded), received};
  Outcome outcome = handle(pending.request);
  const bool replies = std::holds_alternative<Reply>(outcome);
  if (!settle(pending, std::move(outcome))) {
    keep_waiting(std::move(pending));
  } else if (replies) {
    warn_if_heavy(pending);
  }
  retry_waiting();
}

Reply EventLoop::refused(const Request& request, const Error& error) {
  Reply reply = actor_.refused(request, error);
  reply.refusal = error.code();
  return reply;
}

// An actor does not throw; should it, the peer still gets a reply and the loop goes on.
template <class Result, class F>
Result EventLoop::guarded(const Request& request, F&& f) {
  try {
    return f();
  } catch (const Error& error) {
    return refused(request, error);
  } catch (const std::exception& error) {
    spdlog::error("{}: {} failed: {}", actor_.id(), printable(request.envelope.request_type),
                  printable(error.what(), kSentenceBytesMax));
    return refused(request, Error(ErrorCode::kInternal, error.what()));
  }
}

Outcome EventLoop::handle(Request& request) {
  return guarded<Outcome>(request, [&] { return actor_.handle(request, now()); });
}

bool EventLoop::settle(Pending& pending, Outcome outcome) {
  if (Reply* reply = std::get_if<Reply>(&outcome)) {
    send(pending, std::move(*reply));
    return true;
  }
  if (Job* job = std::get_if<Job>(&outcome)) {
    start_job(std::move(pending), std::move(*job));
    return true;
  }
  Wait& wait = std::get<Wait>(outcome);
  pending.topic = std::move(wait.topic);
  pending.deadline = wait.deadline;
  return false;
}

// Each one is looked at again whenever its topic changes, so their number is bounded.
void EventLoop::keep_waiting(Pending pending) {
  if (waiting_.size() < limits_.waiting_max) {
    waiting_.push_back(std::move(pending));
    return;
  }
  const Error error(ErrorCode::kLimit,
                    fmt::format("{} requests wait for data already, the most that "
                                "this node keeps waiting",
                                waiting_.size()));
  send(pending, refused(pending.request, error));
}

void EventLoop::send(Pending& pending, Reply reply) {
  if (reply.frames.empty()) {  // would leave the socket in the middle of a message
    reply = refused(pending.request, Error(ErrorCode::kInternal, "the reply has no frames"));
  }
  OperationCounters& operation = count(pending, reply);
  const size_t reply_bytes = reply.frames.bytes();
  pending.bytes += reply_bytes;
  const SendResult result = pending.socket->send(pending.peer, std::move(reply.frames));
  if (result == SendResult::kSent) {
    operation.sent_bytes += reply_bytes;
    return;
  }
  actor_.counters().refuse(result == SendResult::kPeerGone ? kReasonPeerGone : kReasonPeerFull);
  spdlog::info("{}: no reply to '{}' ({}): {}", actor_.id(), printable(pending.peer.identity),
               printable(pending.request.envelope.request_type),
               result == SendResult::kPeerGone ? "it is gone" : "it does not read its replies");
  if (reply.undo) reply.undo();
}

OperationCounters& EventLoop::count(const Pending& pending, const Reply& reply) {
  RequestCounters& counters = actor_.counters();
  OperationCounters& operation =
      counters.of(actor_.operation_of(pending.request.envelope.request_type));
  const std::chrono::duration<double> took = now() - pending.request.received_at;
  ++operation.requests;
  operation.received_bytes += pending.bytes;
  operation.samples += reply.samples;
  operation.add_duration(took.count());
  if (took.count() >= heavy_.seconds) ++operation.slow;
  if (reply.refusal) {
    ++operation.errors;
    counters.refuse(refusal_reason(*reply.refusal));
  }
  return operation;
}

LoopState EventLoop::state() const {
  LoopState state;
  state.waiting_requests = waiting_.size();
  for (const auto& socket : sockets_) {
    state.connections += socket->connections();
    state.unsent_bytes += socket->unsent_bytes();
  }
  state.uptime_s = std::chrono::duration<double>(now() - started_).count();
  return state;
}

void EventLoop::warn_if_heavy(const Pending& pending) const {
  const std::chrono::duration<double> took = now() - pending.request.received_at;
  const double mebibytes = static_cast<double>(pending.bytes) / (1 << 20);
  const bool large = heavy_.payload_mib && mebibytes >= *heavy_.payload_mib;
  if (took.count() < heavy_.seconds && !large) return;
  spdlog::warn("{}: heavy {} from '{}': {:.1f} MiB, {:.3f} s", actor_.id(),
               printable(pending.request.envelope.request_type), printable(pending.peer.identity),
               mebibytes, took.count());
}

void EventLoop::start_job(Pending pending, Job job) {
  worker(job.lane).run([this, pending = std::move(pending), work = std::move(job.work)]() mutable {
    std::function<Reply()> make_reply;
    try {
      make_reply = work();
    } catch (...) {  // the loop answers for it
      make_reply = [error = std::current_exception()]() -> Reply { std::rethrow_exception(error); };
    }
    const std::lock_guard lock(finished_mutex_);
    finished_.push_back(
        [this, pending = std::move(pending), make_reply = std::move(make_reply)]() mutable {
          send(pending, guarded<Reply>(pending.request, make_reply));
        });
    wakeup_.notify();
  });
}

void EventLoop::start_chores() {
  if (std::function<void()> chores = actor_.take_chores()) {
    worker(Lane::kWrites).run(std::move(chores));
  }
}

void EventLoop::finish_jobs() {
  std::vector<std::function<void()>> finished;
  {
    const std::lock_guard lock(finished_mutex_);
    finished.swap(finished_);
  }
  if (finished.empty()) return;
  for (const auto& finish : finished) finish();
  retry_waiting();
}

// Offers waiting requests again whose topic changed; a reply that could not be delivered may change
// topics once more.
void EventLoop::retry_waiting() {
  for (auto changed = actor_.take_changed_topics(); !changed.empty() && !waiting_.empty();
       changed = actor_.take_changed_topics()) {
    const std::unordered_set<std::string> topics(changed.begin(), changed.end());
    for (auto pending = waiting_.begin(); pending != waiting_.end();) {
      const bool settled =
          topics.contains(pending->topic) && settle(*pending, handle(pending->request));
      pending = settled ? waiting_.erase(pending) : std::next(pending);
    }
  }
}

// The last offer to a request may change topics too, as may a reply that finds its peer gone.
void EventLoop::expire_waiting() {
  const TimePoint at = now();
  bool any_settled = false;
  for (auto pending = waiting_.begin(); pending != waiting_.end();) {
    const bool settled = pending->deadline <= at && settle(*pending, handle(pending->request));
    any_settled = any_settled || settled;
    pending = settled ? waiting_.erase(pending) : std::next(pending);
  }
  if (any_settled) retry_waiting();
}

// Controller requests have no time-out at the client: who waits here would wait for ever.
void EventLoop::refuse_waiting() {
  const Error error(ErrorCode::kUnavailable, "the node is stopping");
  for (Pending& pending : waiting_) send(pending, refused(pending.request, error));
  waiting_.clear();
}

void EventLoop::rest_when_idle() {
  if (!idle_at_ || now() < *idle_at_) return;
  idle_at_.reset();
  when_idle_();
}

int EventLoop::poll_timeout_ms() {
  const TimePoint at = now();
  std::optional<TimePoint> first = idle_at_;
  const auto wake_at = [&](TimePoint time) { first = first ? std::min(*first, time) : time; };
  for (const auto& socket : sockets_) {
    if (socket->has_message()) return 0;
    if (const auto next = socket->drop_silent(at)) wake_at(*next);
  }
  for (const Pending& pending : waiting_) wake_at(pending.deadline);
  if (!first) return kForeverMs;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*first - at);
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, 60'000));
}

}  // namespace tq::runtime
