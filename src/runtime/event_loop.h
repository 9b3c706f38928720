// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "runtime/actor.h"
#include "runtime/poller.h"
#include "runtime/router_socket.h"
#include "runtime/wakeup.h"
#include "runtime/worker.h"

namespace tq::runtime {

/// From where on one request earns a line in the log: it holds up all others of its node.
struct HeavyRequest {
  double seconds = 5;
  std::optional<double> payload_mib;  // received and replied together; nothing: any size is fine
};

/// Serves one actor on its sockets: poll, receive, decode, handle, encode, send. Every decodable
/// request gets exactly one reply, also one that still waits when the loop is stopped (not one
/// whose job has not ended then); one that cannot be decoded gets the actor's error reply; nothing
/// a peer sends ends the loop. Owns the sockets; run() and everything it calls stay on one thread.
class EventLoop {
 public:
  /// `when_idle` (may be empty) is called on the loop's thread when requests came and then none for
  /// kIdle: what the thread keeps for the next one may go.
  EventLoop(Actor& actor, const wire::Limits& limits, const HeavyRequest& heavy,
            std::function<void()> when_idle = {});

  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  static constexpr std::chrono::seconds kIdle{5};

  /// Opens a socket to serve, before run(). Throws what RouterSocket's constructor throws.
  const RouterSocket& listen(std::string name, const SocketOptions& options);

  /// Serves until stop(), then closes the sockets. Blocks. Once only.
  void run();
  /// Ends run() soon. Thread-safe, does not block.
  void stop() noexcept;

 private:
  /// A request whose answer is still owed.
  struct Pending {
    RouterSocket* socket;
    PeerName peer;
    Request request;
    std::string topic;
    TimePoint deadline;
    size_t bytes = 0;  // received, and later replied, with it
  };

  void serve(RouterSocket& socket);
  void serve_one(RouterSocket& socket, Incoming incoming);
  Outcome handle(Request& request);
  /// Calls f for a reply or an outcome; what it throws becomes the actor's error reply.
  template <class Result, class F>
  Result guarded(const Request& request, F&& f);
  Reply refused(const Request& request, const Error& error);
  /// Sends a reply, starts a job, or returns false when the request must wait.
  bool settle(Pending& pending, Outcome outcome);
  void keep_waiting(Pending pending);
  void send(Pending& pending, Reply reply);
  void warn_if_heavy(const Pending& pending) const;
  /// Counts a request that gets this reply.
  OperationCounters& count(const Pending& pending, const Reply& reply);
  LoopState state() const;
  void start_job(Pending pending, Job job);
  void start_chores();
  Worker& worker(Lane lane) { return workers_[static_cast<size_t>(lane)]; }
  void finish_jobs();
  void retry_waiting();
  void expire_waiting();
  void refuse_waiting();
  void rest_when_idle();
  int poll_timeout_ms();

  Actor& actor_;
  Poller poller_;
  InFlight in_flight_;
  std::vector<std::unique_ptr<RouterSocket>> sockets_;
  wire::Limits limits_;
  HeavyRequest heavy_;
  std::function<void()> when_idle_;
  std::optional<TimePoint> idle_at_;  // unless requests come; nothing while it rests
  const TimePoint started_;
  std::list<Pending> waiting_;  // in order of arrival
  std::atomic<bool> stopping_{false};
  Wakeup wakeup_;
  std::mutex finished_mutex_;
  std::vector<std::function<void()>> finished_;  // jobs' replies, to be sent by the loop
  std::array<Worker, 3> workers_;  // by lane; last: their threads use what stands above
};

}  // namespace tq::runtime
