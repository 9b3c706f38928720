// SPDX-License-Identifier: Apache-2.0
#include "simulation/controller_simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <unordered_set>
#include <variant>

#include "wire/unpack.h"

namespace tq::test {
namespace {

constexpr double kRestSeconds = 200;
constexpr double kPatienceSeconds = 5;
// A client acts on what it saw, and the network delivers, within half a rest each: so no request of
// the simulation is as late as a freed index's next owner.
constexpr double kDeliverySeconds = 90;
constexpr size_t kInFlightMax = 24;
constexpr size_t kWaitingMax = 12;
constexpr size_t kHistory = 40;

controller::ControllerConfig config_of(size_t pre_allocated, bool polling) {
  controller::ControllerConfig config;
  config.id = "TQ_CONTROLLER_simulated";
  config.polling_mode = polling;
  config.pre_alloc_samples = pre_allocated;
  config.index_rest_s = kRestSeconds;
  config.check_interval_s = kPatienceSeconds;
  return config;
}

}  // namespace

ControllerSimulation::ControllerSimulation(uint64_t seed)
    : random_(seed),
      pre_allocated_(1 + below(4)),
      polling_(chance(40)),
      controller_(config_of(pre_allocated_, polling_)),
      model_(pre_allocated_, kRestSeconds) {}

runtime::TimePoint ControllerSimulation::now() const {
  return runtime::TimePoint() + std::chrono::nanoseconds(static_cast<int64_t>(now_s_ * 1e9));
}

void ControllerSimulation::run(size_t requests) {
  const size_t until = counts_.requests + requests;
  while (counts_.requests < until) step();
}

void ControllerSimulation::fail(const std::string& what) const {
  std::string text = fmt::format("request {}: {}\nthe requests before it:", counts_.requests, what);
  for (const std::string& line : history_) text += "\n  " + line;
  throw std::runtime_error(text);
}

// ---- network ----

void ControllerSimulation::send_frames(std::string_view type, wire::Frames frames, Judge judge,
                                       std::shared_ptr<Fetch> fetch) {
  if (chance(4)) return;  // lost
  const double delay = chance(8) ? static_cast<double>(below(90)) : 0;
  counts_.late += delay > kPatienceSeconds ? 1 : 0;
  network_.push_back({std::string(type), std::move(frames), std::move(judge), std::move(fetch),
                      now_s_ + delay, now_s_ + kDeliverySeconds});
}

void ControllerSimulation::step() {
  now_s_ += static_cast<double>(below(150)) / 512;  // exact, in nanoseconds too
  expire_waiting();
  while (!late_undos_.empty() && late_undos_.front().first <= now_s_) {
    const auto undo = std::move(late_undos_.front().second);
    late_undos_.erase(late_undos_.begin());
    undo();
    retry_waiting();
  }
  for (size_t i = 0; i < 3 && network_.size() < kInFlightMax; ++i) send_something();
  if (network_.empty()) return;
  const size_t which = below(network_.size());  // and not in order
  Message& message = network_[which];
  const bool is_over = message.dead_at < now_s_;
  if (!is_over && message.due_at > now_s_) return;
  const bool comes_again = !is_over && chance(6);
  if (!is_over) deliver(message);
  if (comes_again) return;
  std::swap(network_[which], network_.back());
  network_.pop_back();
}

// ---- loop ----

void ControllerSimulation::deliver(Message& message) {
  ++counts_.requests;
  counts_.duplicates += message.was_delivered ? 1 : 0;
  message.was_delivered = true;
  history_.push_back(fmt::format("{:.3f} {}", now_s_, message.what));
  if (history_.size() > kHistory) history_.pop_front();
  Result<wire::Envelope> envelope = wire::decode(message.frames, wire::Limits{});
  require(envelope.ok(), "a request cannot be decoded");
  runtime::Request request{std::move(*envelope), now()};
  if (message.fetch != nullptr) {
    settle(message.fetch, std::move(request));
  } else {
    runtime::Outcome outcome = controller_.handle(request, now());
    require(std::holds_alternative<runtime::Reply>(outcome), message.what + " has no reply");
    wire::Envelope reply = decoded(std::get<runtime::Reply>(outcome));
    message.judge(reply);
  }
  retry_waiting();
  check_nobody_is_forgotten();
}

wire::Envelope ControllerSimulation::decoded(const runtime::Reply& reply) {
  const wire::Frames frames = reply.frames;
  Result<wire::Envelope> envelope = wire::decode(frames, wire::Limits{});
  require(envelope.ok(), "a reply cannot be decoded");
  require(envelope->receiver_id == "client", "a reply names another receiver than its sender");
  counts_.errors += envelope->request_type == wire::RequestError::kType ? 1 : 0;
  return std::move(*envelope);
}

void ControllerSimulation::settle(std::shared_ptr<Fetch> fetch, runtime::Request request) {
  const double deadline = now_s_ + kPatienceSeconds;
  runtime::Outcome outcome = controller_.handle(request, now());
  if (judge_fetch(*fetch, outcome, deadline)) return;
  ++counts_.waits;
  std::string topic = std::get<runtime::Wait>(outcome).topic;
  waiting_.push_back({std::move(request), std::move(fetch), std::move(topic), deadline});
}

void ControllerSimulation::retry_waiting() {
  for (auto changed = controller_.take_changed_topics(); !changed.empty();
       changed = controller_.take_changed_topics()) {
    const std::unordered_set<std::string> topics(changed.begin(), changed.end());
    for (auto waiting = waiting_.begin(); waiting != waiting_.end();) {
      bool settled = false;
      if (topics.contains(waiting->topic)) {
        runtime::Outcome outcome = controller_.handle(waiting->request, now());
        settled = judge_fetch(*waiting->fetch, outcome, waiting->deadline);
      }
      waiting = settled ? waiting_.erase(waiting) : std::next(waiting);
    }
  }
}

void ControllerSimulation::expire_waiting() {
  for (auto waiting = waiting_.begin(); waiting != waiting_.end();) {
    if (waiting->deadline > now_s_ && waiting_.size() <= kWaitingMax) {
      ++waiting;
      continue;
    }
    now_s_ = std::max(now_s_, waiting->deadline);
    runtime::Outcome outcome = controller_.handle(waiting->request, now());
    require(judge_fetch(*waiting->fetch, outcome, waiting->deadline),
            "a fetch waits past its deadline");
    waiting = waiting_.erase(waiting);
  }
  retry_waiting();
}

// A request that could be served must not wait for the next change.
void ControllerSimulation::check_nobody_is_forgotten() {
  for (const Waiting& waiting : waiting_) {
    require(expected_of(*waiting.fetch, waiting.deadline).kind == Expected::Kind::kWait,
            "a fetch of partition " + waiting.fetch->partition + " waits that could be served");
  }
}

// ---- fetches ----

ControllerSimulation::Expected ControllerSimulation::expected_of(const Fetch& fetch,
                                                                 double deadline) {
  using Kind = Expected::Kind;
  if (const auto* partition = model_.find(fetch.partition)) {
    const Indexes ready = ControllerModel::ready(*partition, fetch.fields, fetch.task);
    const bool kept = polling_ && fetch.is_keyed && model_.kept.contains(fetch.key());
    if (kept || ready.size() >= fetch.batch_size) return chosen_of(fetch, ready);
  }
  if (polling_) return {Kind::kEmpty};
  return {now_s_ >= deadline ? Kind::kError : Kind::kWait};
}

// What the fetch's sampler must choose.
ControllerSimulation::Expected ControllerSimulation::chosen_of(const Fetch& fetch,
                                                               const Indexes& ready) {
  using Kind = Expected::Kind;
  if (fetch.is_keyed) {
    const auto kept = model_.kept.find(fetch.key());
    if (kept != model_.kept.end()) {
      const bool is_intact = model_.is_intact(fetch.partition, kept->second);
      return {is_intact ? Kind::kBatch : Kind::kError, kept->second.indexes, true};
    }
  }
  Indexes chosen;
  if (fetch.sampler == "GRPOGroupNSampler") {  // pairs of neighbours
    for (size_t i = 0; i + 1 < ready.size() && chosen.size() < fetch.batch_size;) {
      const bool is_pair = ready[i + 1] == ready[i] + 1;
      if (is_pair) chosen.insert(chosen.end(), {ready[i], ready[i + 1]});
      i += is_pair ? 2 : 1;
    }
  } else {
    chosen.assign(ready.begin(), ready.begin() + static_cast<ptrdiff_t>(fetch.batch_size));
  }
  if (chosen.size() == fetch.batch_size) return {Kind::kBatch, chosen};
  return {polling_ ? Kind::kEmpty : Kind::kError};
}

// False when the fetch goes on waiting.
bool ControllerSimulation::judge_fetch(const Fetch& fetch, runtime::Outcome& outcome,
                                       double deadline) {
  using Kind = Expected::Kind;
  const Expected expected = expected_of(fetch, deadline);
  if (const auto* wait = std::get_if<runtime::Wait>(&outcome)) {
    require(expected.kind == Kind::kWait, "a fetch waits that should be answered");
    require(wait->topic == fetch.partition, "a fetch waits for another partition");
    return false;
  }
  require(std::holds_alternative<runtime::Reply>(outcome), "a fetch became a job");
  require(expected.kind != Kind::kWait, "a fetch is answered that should wait");
  auto& reply = std::get<runtime::Reply>(outcome);
  if (expected.kind == Kind::kBatch) {
    check_batch(fetch, expected, reply);
    return true;
  }
  wire::Envelope envelope = decoded(reply);
  if (expected.kind == Kind::kError) {
    require(envelope.request_type == wire::RequestError::kType,
            "a fetch got " + envelope.request_type + " in place of an error");
    counts_.timeouts += now_s_ >= deadline ? 1 : 0;
  } else {
    require(envelope.request_type == wire::GetMetaResponse::kType, "an empty batch was due");
    const auto body = wire::unpack_body<wire::GetMetaResponse>(envelope.body, {});
    require(body.metadata.size() == 0, "a batch in place of an empty one");
  }
  require(!reply.undo, "there is something to undo of a reply without samples");
  return true;
}

void ControllerSimulation::check_batch(const Fetch& fetch, const Expected& expected,
                                       runtime::Reply& reply) {
  wire::Envelope envelope = decoded(reply);
  require(envelope.request_type == wire::GetMetaResponse::kType,
          "a fetch got " + envelope.request_type + " in place of a batch");
  const wire::BatchMeta meta = wire::unpack_body<wire::GetMetaResponse>(envelope.body, {}).metadata;
  check_meta(meta, fetch.partition, expected.indexes,
             std::vector<int8_t>(expected.indexes.size(), 1));
  ++counts_.batches;
  counts_.repeated_batches += expected.is_repeated ? 1 : 0;
  ControllerModel::Partition& partition = *model_.find(fetch.partition);
  for (int64_t index : meta.global_indexes) {
    const ControllerModel::Sample& sample = partition.samples.at(index);
    if (expected.is_repeated) continue;
    for (size_t field : fetch.fields) {
      require(sample.produced[field], "a sample is handed out that nobody produced");
    }
    require(!given_.contains({sample.birth, fetch.task}), "a task gets a sample twice");
  }
  if (fetch.is_keyed && !expected.is_repeated) {
    model_.kept[fetch.key()] = model_.keep(fetch.partition, expected.indexes);
  }
  model_.consume(partition, fetch.task, expected.indexes, ++fetches_);
  deliver_or_undo(fetch, reply, fetch.is_keyed);
}

// A batch that a sampler keeps stays its key's, whoever did not get it: it is there to be repeated.
void ControllerSimulation::deliver_or_undo(const Fetch& fetch, runtime::Reply& reply,
                                           bool is_kept) {
  require(is_kept == !reply.undo, "a batch that nobody keeps must be given back, and no other");
  const uint64_t number = fetches_;
  std::vector<uint64_t> births;
  for (const auto& [index, sample] : model_.find(fetch.partition)->samples) {
    if (sample.consumed_by[fetch.task] == number) births.push_back(sample.birth);
  }
  for (const uint64_t birth : births) given_.insert({birth, fetch.task});
  if (is_kept || !chance(15)) return;
  ++counts_.undone;
  auto undo = [this, undo = std::move(reply.undo), partition = fetch.partition, task = fetch.task,
               number, births = std::move(births)] {
    undo();
    model_.give_back(partition, task, number);
    for (const uint64_t birth : births) given_.erase({birth, task});
  };
  if (chance(70)) return undo();
  late_undos_.emplace_back(now_s_ + 3, std::move(undo));
}

}  // namespace tq::test
