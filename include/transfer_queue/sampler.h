// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "transfer_queue/error.h"
#include "transfer_queue/value.h"

namespace tq {

/// The samples of one partition that a fetch may be given: all wanted fields are produced, and the
/// task has not consumed them. A view, valid during the call that it is given to. Walking it costs
/// what is looked at, not what is ready: the first 256 of a million take microseconds.
class ReadySamples {
 public:
  virtual ~ReadySamples() = default;
  /// The smallest global indexes, at most `count`, ascending.
  virtual std::vector<int64_t> first(size_t count) const = 0;
  /// Calls visit(global_index), ascending, until it returns false.
  virtual void visit(const std::function<bool(int64_t)>& visit) const = 0;
  /// Whether it is among them.
  virtual bool contains(int64_t global_index) const = 0;
  /// How many there are. Walks all of them.
  virtual size_t count() const = 0;
  /// What clients attached to a sample (Python: custom_meta, KV: its tag), a Map; nullptr when that
  /// is empty or there is no such sample.
  virtual const Value* custom_meta(int64_t global_index) const = 0;
};

/// All samples of the partition of a request, ready or not (Python: the argument `partition`). A
/// view, valid during the call that it is given to. What is said of fields means those that the
/// request asks for; of consumption, the request's task.
class PartitionView {
 public:
  virtual ~PartitionView() = default;
  /// Samples, the pre-allocated ones included, which no client has registered yet.
  virtual size_t size() const = 0;
  /// Ascending; pre-allocated ones too.
  virtual std::vector<int64_t> indexes() const = 0;
  /// False for a sample or field that the partition does not have.
  virtual bool is_produced(int64_t global_index, std::string_view field) const = 0;
  /// By the task that fetches.
  virtual bool is_consumed(int64_t global_index) const = 0;
  /// Whether all fields of all samples are produced: unless samples are added, no more will get
  /// ready. With as many pre-allocated as are to come, that is the end of the stream. Walks all.
  virtual bool is_production_done() const = 0;
};

/// What a sampler chooses from, and for whom.
struct SampleRequest {
  const ReadySamples&
      ready;          ///< at least batch_size, unless one of the two functions below said true
  size_t batch_size;  ///< positive; may be 0 if decides_readiness() said true
  const std::string& partition_id;  ///< what is fetched from
  const std::string& task_name;     ///< who consumes
  const Map& sampling_config;       ///< the client's keyword arguments; keys are str
  const PartitionView& partition;   ///< all of it, also what is not ready
};

/// What a sampler chose.
struct Sample {
  std::vector<int64_t> sampled;   ///< what the client gets, in this order; may be empty
  std::vector<int64_t> consumed;  ///< what the task gets never again; often the same
  /// The sampler gives the same batch again to whoever asks alike, so a client that is gone before
  /// the batch reaches it need not give it back for others.
  bool is_kept = false;
};

/// Chooses which of the ready samples a fetch gets (Python: BaseSampler): the policy of a
/// controller, for all partitions and tasks. May keep batches that several ranks are to get alike.
/// Called from one thread, which serves nobody else meanwhile, so it must not block. Give one of
/// your own to LocalNodes (transfer_queue/nodes.h), or add it to a registry there.
class Sampler {
 public:
  virtual ~Sampler() = default;

  /// Chooses a batch. Throws Error when the request makes no sense; then nothing is consumed, and
  /// the client gets the error's sentence; any other exception counts as an internal error. Chosen
  /// indexes must be the partition's. None chosen is an error; in polling mode, and where the
  /// client says how long it waits, it means "not yet".
  virtual Sample sample(const SampleRequest& request) = 0;

  /// Whether sample() would answer from a batch kept earlier, however many samples are ready. Where
  /// none chosen means "not yet", such a request is served although too little is ready.
  virtual bool has_cached_result(const std::string& /*partition_id*/,
                                 const std::string& /*task_name*/,
                                 const Map& /*sampling_config*/) const {
    return false;
  }

  /// Whether sample() itself says when there is enough for such a request, by batches of any size.
  /// It is then asked whenever something gets ready, and none chosen means "not yet": the fetch
  /// waits on, and gets an empty batch in the end; at once in polling mode (unless the client says
  /// how long it waits), or if has_cached_result() says that the empty one is the answer.
  virtual bool decides_readiness(const Map& /*sampling_config*/) const { return false; }

  /// The partition is gone: forgets what was kept for it.
  virtual void clear_cache(const std::string& /*partition_id*/) {}

  /// These samples of the partition, ascending, are cleared; their indexes will be others' one day.
  /// A batch that was kept with one of them must not be given again.
  virtual void samples_cleared(const std::string& /*partition_id*/,
                               const std::vector<int64_t>& /*global_indexes*/) {}

  /// What a checkpoint is to have of this sampler: its kept batches as a Value of the user's own
  /// form, nil where nothing is kept.
  virtual Value save_checkpoint() const { return {}; }
  /// Takes the place of what is kept: a value that save_checkpoint() of a sampler of this kind
  /// gave, or nil. Throws Error, with nothing changed, for what is none.
  virtual void load_checkpoint(const Value& state) {
    if (state.is_nil()) return;
    throw Error(ErrorCode::kInvalidArgument,
                "the checkpoint has batches that another sampler kept, and this one keeps none; "
                "start the controller with the sampler that it had then");
  }
};

/// Samplers by name. Not thread-safe.
class SamplerRegistry {
 public:
  /// Makes a sampler from its arguments, whose keys are str. Throws Error(kInvalidArgument).
  using Factory = std::function<std::unique_ptr<Sampler>(const Map& arguments)>;

  /// Upstream's, by upstream's names: SequentialSampler, GRPOGroupNSampler(n_samples_per_prompt=1),
  /// RankAwareSampler, SeqlenBalancedSampler(n_samples_per_prompt=1, dp_size=1). And of the fork of
  /// the Relax project: StreamingTokenBudgetSampler(n_samples_per_prompt=1,
  /// balance_unit_multiplier=1).
  static SamplerRegistry built_in();

  /// A later one of the same name takes the place of the earlier.
  void add(std::string name, Factory factory);
  /// Throws Error(kInvalidArgument) for a name that is not there, and names those that are.
  std::unique_ptr<Sampler> make(std::string_view name, const Map& arguments = {}) const;
  /// In order of addition.
  std::vector<std::string> names() const;

 private:
  std::vector<std::pair<std::string, Factory>> factories_;
};

}  // namespace tq
