// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "controller/samplers/arguments.h"
#include "transfer_queue/sampler.h"

namespace tq::controller {

/// Whose batch: as upstream's `_states[partition_id][task_name][dp_rank][batch_index]`. Upstream's
/// samplers take the partition and the task from sampling_config too, where they are "" unless the
/// client says them.
struct BatchKey {
  std::string partition_id;
  std::string task_name;
  int64_t dp_rank;
  std::optional<int64_t> batch_index;

  auto operator<=>(const BatchKey&) const = default;
};

/// The batches that a sampler keeps, so that all who share a rank and a batch index get the same.
class BatchCache {
 public:
  /// The batch, or nullptr. Throws Error(kNotFound) when one of its samples was cleared: whoever
  /// shares it can get it no more, and another batch in its place would part the ranks.
  const Sample* find(const BatchKey& key) const;
  bool contains(const BatchKey& key) const { return kept_.contains(key) || cleared_.contains(key); }
  /// `of_partition` is the partition that the samples are of, whatever the key says.
  void keep(BatchKey key, Sample sample, std::string of_partition);
  void clear(const std::string& partition_id);
  /// These samples of the partition, ascending, are cleared.
  void samples_cleared(const std::string& partition_id, const std::vector<int64_t>& indexes);
  /// Calls visit(const BatchKey&, const Sample&) for each kept batch.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [key, kept] : kept_) visit(key, kept.sample);
  }

  /// For checkpoints. from_value() throws Error for what is none of to_value().
  Value to_value() const;
  static BatchCache from_value(const Value& value);

 private:
  struct Kept {
    Sample sample;
    std::string of_partition;
  };
  using Batches = std::map<BatchKey, Kept>;
  using Holders = std::unordered_multimap<int64_t, Batches::iterator>;

  void drop(Batches::iterator batch);

  Batches kept_;
  std::unordered_map<std::string, Holders> holders_;  // who holds a sample, a partition
  std::map<BatchKey, std::string> cleared_;           // and the partition that the samples were of
};

/// A sampler whose batches are kept by rank and batch index.
class CachingSampler : public Sampler {
 public:
  bool has_cached_result(const std::string& partition_id, const std::string& task_name,
                         const Map& sampling_config) const override;
  void clear_cache(const std::string& partition_id) override { cache_.clear(partition_id); }
  void samples_cleared(const std::string& partition_id,
                       const std::vector<int64_t>& global_indexes) override {
    cache_.samples_cleared(partition_id, global_indexes);
  }
  Value save_checkpoint() const override { return cache_.to_value(); }
  void load_checkpoint(const Value& state) override { cache_ = BatchCache::from_value(state); }

 protected:
  explicit CachingSampler(std::string name) : name_(std::move(name)) {}
  const std::string& name() const noexcept { return name_; }
  Arguments arguments(const Map& sampling_config) const {
    return {name_ + ": sampling_config", sampling_config};
  }
  /// Nothing when the client names no rank.
  static std::optional<BatchKey> key_of(const Arguments& arguments);

  BatchCache cache_;

 private:
  const std::string name_;
};

}  // namespace tq::controller
