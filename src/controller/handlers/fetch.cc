// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string_view>

#include "controller/batch.h"
#include "controller/extension.h"
#include "controller/handlers/handlers.h"

namespace tq::controller {
namespace {

/// A fetch whose parts were checked.
struct Fetch {
  const wire::GetMeta& message;
  size_t batch_size;
  wire::Map sampling_config;
  Sampler& sampler;
  bool own_readiness;  // the sampler, not batch_size, says when there is enough
  runtime::TimePoint deadline;
  bool ends_empty;  // at the deadline, where others end in an error
};

/// What a sampler sees of a partition.
class View final : public ReadySamples {
 public:
  View(const ReadyIndexes& ready, const Partition& partition)
      : ready_(ready), partition_(partition) {}
  std::vector<int64_t> first(size_t count) const override { return ready_.first(count); }
  void visit(const std::function<bool(int64_t)>& visit) const override { ready_.for_each(visit); }
  bool contains(int64_t index) const override { return ready_.contains(index); }
  size_t count() const override { return ready_.count(); }
  const wire::Value* custom_meta(int64_t index) const override {
    return partition_.find_tag(index);
  }

 private:
  const ReadyIndexes& ready_;
  const Partition& partition_;
};

/// What a sampler sees of the partition as a whole.
class Whole final : public PartitionView {
 public:
  Whole(const Partition& partition, const wire::Names& fields, const Consumption& task)
      : partition_(partition), fields_(fields), task_(task) {}
  size_t size() const override {
    return partition_.active().size() + partition_.pre_allocated().size();
  }
  std::vector<int64_t> indexes() const override { return partition_.indexes(); }
  bool is_produced(int64_t index, std::string_view field) const override {
    const std::optional<size_t> position = partition_.find_field(field);
    return index >= 0 && position && partition_.fields()[*position].produced.contains(index);
  }
  bool is_consumed(int64_t index) const override {
    return index >= 0 && task_.consumed().contains(index);
  }
  bool is_production_done() const override {
    return partition_.produced(fields_).count() == size();
  }

 private:
  const Partition& partition_;
  const wire::Names& fields_;
  const Consumption& task_;
};

// The sampler's keyword arguments. Upstream passes them on beside its own, so these names would
// clash.
wire::Map checked_sampling_config(const wire::Value& config) {
  constexpr std::array<std::string_view, 3> kTaken = {"ready_indexes", "batch_size", "partition"};
  if (config.is_nil()) return {};
  const auto* entries = config.get_if<wire::Map>();
  if (entries == nullptr) {
    fail(ErrorCode::kWrongType, "body.sampling_config must be a dict, got {}", config.kind_name());
  }
  for (const auto& [key, value] : *entries) {
    const auto* name = key.get_if<std::string>();
    if (name == nullptr) {
      fail(ErrorCode::kWrongType, "body.sampling_config must have str keys, got {}",
           key.kind_name());
    }
    if (std::find(kTaken.begin(), kTaken.end(), *name) != kTaken.end()) {
      fail(ErrorCode::kWrongType, "body.sampling_config.{} is not the client's to choose", *name);
    }
  }
  return *entries;
}

[[noreturn]] void fail_batch_size() {
  fail(ErrorCode::kInvalidArgument, "body.batch_size must be positive in mode fetch");
}

Fetch checked(State& state, const Call& call, const wire::GetMeta& message) {
  if (!message.task_name) {
    fail(ErrorCode::kInvalidArgument, "body.task_name must be there in mode fetch");
  }
  // Before a sampler is made for this request: one that is refused changes nothing.
  const int64_t batch_size = message.batch_size.value_or(0);
  if (batch_size < 0) fail_batch_size();
  if (static_cast<size_t>(batch_size) > state.config.limits.rows_max) {
    fail(ErrorCode::kLimit, "body.batch_size is {}; the limit is {}", batch_size,
         state.config.limits.rows_max);
  }
  const auto wait = wait_of(call.request.body, state.config.limits);
  wire::Map sampling_config = checked_sampling_config(message.sampling_config);
  Sampler& sampler = state.samplers.choose(call.request.body);
  const bool own_readiness = sampler.decides_readiness(sampling_config);
  if (batch_size == 0 && !own_readiness) fail_batch_size();
  const bool polls = state.config.polling_mode;
  const std::chrono::nanoseconds patience =
      wait ? *wait : (polls ? std::chrono::nanoseconds(0) : state.fetch_patience());
  return {message,       static_cast<size_t>(batch_size), std::move(sampling_config),    sampler,
          own_readiness, call.received_at + patience,     wait || polls || own_readiness};
}

// Takes back what a reply handed out that did not reach its peer.
std::function<void()> give_back_later(State& state, const wire::GetMeta& message,
                                      Consumption::Receipt receipt) {
  return [&state, partition_id = message.partition_id, task_name = *message.task_name,
          receipt = std::move(receipt)] {
    Partition* partition = state.partitions.find(partition_id);
    Consumption* task = partition != nullptr ? partition->find_task(task_name) : nullptr;
    if (task != nullptr && task->give_back(receipt)) state.changed(partition_id);
  };
}

runtime::Reply empty_batch(const State& state, const Call& call) {
  return reply(state, call, wire::GetMetaResponse{});
}

// A sampler may keep batches of samples that were cleared since, and one of a user's own may choose
// anything.
void check_owned(const Partition& partition, const std::vector<int64_t>& indexes) {
  for (const int64_t index : indexes) {
    if (partition.owns(index)) continue;
    fail(ErrorCode::kNotFound, "the sampler chose sample {}, which partition '{}' does not have",
         index, partition.id());
  }
}

bool keeps_batch(const Fetch& wanted) {
  return wanted.sampler.has_cached_result(wanted.message.partition_id, *wanted.message.task_name,
                                          wanted.sampling_config);
}

// Nothing when the sampler chose none, which in upstream's polling mode, and of a sampler that
// decides readiness, means: not yet.
std::optional<runtime::Reply> serve(State& state, const Call& call, const Fetch& wanted,
                                    Partition& partition, Consumption& task,
                                    const ReadyIndexes& ready) {
  const View view(ready, partition);
  const Whole whole(partition, *wanted.message.data_fields, task);
  Sample sample = wanted.sampler.sample({view, wanted.batch_size, partition.id(),
                                         *wanted.message.task_name, wanted.sampling_config, whole});
  check_owned(partition, sample.sampled);
  check_owned(partition, sample.consumed);
  if (sample.sampled.empty()) {
    if (wanted.own_readiness && keeps_batch(wanted)) return empty_batch(state, call);
    if (wanted.ends_empty) return std::nullopt;
    fail(ErrorCode::kInternal, "the sampler chose none of {} ready samples; required {}",
         ready.count(), wanted.batch_size);
  }
  const size_t samples = sample.sampled.size();
  runtime::Reply answer =
      reply(state, call,
            wire::GetMetaResponse{make_batch_meta(partition, std::move(sample.sampled),
                                                  *wanted.message.data_fields, Production::kAll)});
  answer.samples = samples;
  Consumption::Receipt receipt = task.mark(sample.consumed);
  // A kept batch stays its key's: given back, others would get its samples beside who asks again.
  if (!sample.is_kept) answer.undo = give_back_later(state, wanted.message, std::move(receipt));
  return answer;
}

[[noreturn]] void fail_timeout(const Call& call, const Fetch& wanted, size_t available) {
  const std::chrono::duration<double> waited = call.now - call.received_at;
  fail(ErrorCode::kTimeout,
       "task '{}' waited {:.1f} s for samples of partition '{}' with fields [{}]: required {}, "
       "available {}",
       *wanted.message.task_name, waited.count(), wanted.message.partition_id,
       fmt::join(*wanted.message.data_fields, ", "), wanted.batch_size, available);
}

}  // namespace

// A partition that is not there yet is waited for like data.
runtime::Outcome fetch(State& state, const Call& call, const wire::GetMeta& message) {
  const Fetch wanted = checked(state, call, message);
  size_t available = 0;
  if (Partition* partition = state.partitions.find(message.partition_id)) {
    Consumption& task = state.obtain_task(*partition, *message.task_name);
    const ReadyIndexes ready = partition->ready(*message.data_fields, task);
    if (wanted.own_readiness || ready.at_least(wanted.batch_size) ||
        (wanted.ends_empty && keeps_batch(wanted))) {
      auto served = serve(state, call, wanted, *partition, task, ready);
      if (served) return std::move(*served);
    }
    if (call.now >= wanted.deadline && !wanted.ends_empty) available = ready.count();
  }
  if (call.now < wanted.deadline) return runtime::Wait{message.partition_id, wanted.deadline};
  if (wanted.ends_empty) return empty_batch(state, call);
  fail_timeout(call, wanted, available);
}

}  // namespace tq::controller
