// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controller/controller.h"
#include "simulation/controller_model.h"
#include "wire/messages.h"
#include "wire/pack.h"

namespace tq::test {

/// Random clients, a network that loses, repeats, delays and reorders what they say, and a loop
/// that gives it to a controller as the event loop does, on a clock of its own. After each request
/// the reply is compared with the model's, and what must hold is checked. The seed decides
/// everything.
class ControllerSimulation {
 public:
  /// How often things happened: a run in which they did not shows nothing.
  struct Counts {
    size_t requests = 0, batches = 0, repeated_batches = 0, waits = 0, timeouts = 0, undone = 0,
           duplicates = 0, late = 0, refused_notifications = 0, reused_indexes = 0, errors = 0;
  };

  explicit ControllerSimulation(uint64_t seed);

  /// Gives the controller this many requests. Throws std::runtime_error that says what differed,
  /// with the requests before it.
  void run(size_t requests);
  const Counts& counts() const { return counts_; }

 private:
  using Indexes = wire::Indexes;
  using Judge = std::function<void(wire::Envelope& reply)>;

  struct Fetch {
    std::string partition;
    size_t task = 0;
    std::vector<size_t> fields;
    size_t batch_size = 0;
    std::string sampler;  // "": the controller's own
    bool is_keyed = false;
    int64_t rank = 0, batch_index = 0;
    ControllerModel::BatchKey key() const { return {sampler, partition, task, rank, batch_index}; }
  };
  struct Message {
    std::string what;
    wire::Frames frames;
    Judge judge;                   // of any but a fetch
    std::shared_ptr<Fetch> fetch;  // or nullptr
    double due_at = 0, dead_at = 0;
    bool was_delivered = false;
  };
  struct Waiting {
    runtime::Request request;
    std::shared_ptr<Fetch> fetch;
    std::string topic;
    double deadline = 0;
  };
  /// A sample that a client knows of.
  struct Known {
    std::string partition;
    int64_t index;
    uint64_t birth;
    double seen_at;
  };
  struct Expected {
    enum class Kind { kWait, kError, kEmpty, kBatch } kind;
    Indexes indexes = {};
    bool is_repeated = false;
  };

  // ---- chance (simulated_requests.cc) ----
  size_t below(size_t bound) { return static_cast<size_t>(random_() % bound); }
  bool chance(size_t percent) { return below(100) < percent; }
  std::string some_partition() { return "p" + std::to_string(below(4)); }
  std::vector<size_t> some_fields();
  std::vector<Known> some_known(const std::string& partition, size_t count);

  // ---- requests (simulated_requests.cc): each puts a message on its way ----
  void send_something();
  template <class Sent>
  void send(const Sent& message, Judge judge);
  void send_frames(std::string_view type, wire::Frames frames, Judge judge,
                   std::shared_ptr<Fetch> fetch = nullptr);
  void send_insert();
  void send_retrieve();
  void send_notify();
  void send_tags();
  void send_mark();
  void send_clear();
  void send_clear_partition();
  void send_reset();
  void send_fetch();
  void send_questions();
  void send_nonsense();

  // ---- network and loop (controller_simulation.cc) ----
  void step();
  void deliver(Message& message);
  void settle(std::shared_ptr<Fetch> fetch, runtime::Request request);
  bool judge_fetch(const Fetch& fetch, runtime::Outcome& outcome, double deadline);
  Expected expected_of(const Fetch& fetch, double deadline);
  Expected chosen_of(const Fetch& fetch, const Indexes& ready);
  void check_batch(const Fetch& fetch, const Expected& expected, runtime::Reply& reply);
  void deliver_or_undo(const Fetch& fetch, runtime::Reply& reply, bool is_kept);
  void retry_waiting();
  void expire_waiting();
  void check_nobody_is_forgotten();
  wire::Envelope decoded(const runtime::Reply& reply);
  runtime::TimePoint now() const;

  // ---- judges ----
  void learn(const std::string& partition, const Indexes& indexes);
  void check_same(const std::vector<Known>& named);
  // (simulated_answers.cc)
  void check_meta(const wire::BatchMeta& meta, const std::string& partition, const Indexes& indexes,
                  const std::vector<int8_t>& production);
  void judge_consumption(const std::string& partition, size_t task, wire::Envelope& reply);
  void judge_production(const std::string& partition, const std::vector<size_t>& fields,
                        wire::Envelope& reply);
  void judge_list(const std::string& partition, wire::Envelope& reply);
  void judge_partition_meta(const std::string& partition, wire::Envelope& reply);
  [[noreturn]] void fail(const std::string& what) const;
  void require(bool holds, const std::string& what) const {
    if (!holds) fail(what);
  }

  std::mt19937_64 random_;
  const size_t pre_allocated_;
  const bool polling_;
  controller::Controller controller_;
  ControllerModel model_;
  Counts counts_;
  double now_s_ = 1000;
  std::vector<Message> network_;
  std::list<Waiting> waiting_;
  std::vector<std::pair<double, std::function<void()>>> late_undos_;
  std::vector<Known> known_;
  std::set<std::pair<uint64_t, size_t>> given_;  // which sample (by birth) to which task
  std::set<int64_t> seen_indexes_;
  uint64_t fetches_ = 0;
  int64_t tags_ = 0;
  size_t names_ = 0;
  std::deque<std::string> history_;
};

}  // namespace tq::test
