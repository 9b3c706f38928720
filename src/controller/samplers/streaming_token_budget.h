// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "controller/samplers/grpo_group_n.h"

namespace tq::controller {

/// Batches by tokens, as samples get ready, for trainers that pack micro-batches themselves (the
/// fork of the Relax project: StreamingTokenBudgetSampler). Ready groups are dealt out in rounds of
/// up to dp_size * n_samples_per_prompt * balance_unit_multiplier samples, to a bucket a rank, with
/// balanced tokens (custom_meta["total_lengths"]; a sample without counts as a whole budget). A
/// batch is the front of a rank's bucket, up to the budget, and one sample at least. What a rank
/// got for a batch index is kept, and the first who asks for an index decides for all ranks.
///
/// sampling_config: `token_budget`, `dp_rank`, `dp_size`, and
///   batch_index      without it a rank gets its batch once, from full rounds only
///   allow_underfill  (True) without batch_index: also a batch below the budget
///   production_done  whether nothing more will be produced, so that the rest is dealt out, groups
///                    or not; unless said, whether all that the partition has is produced
/// Without token_budget it is a GRPOGroupNSampler. The fork gives a kept sample to a second rank
/// where ranks are at different batch indexes, and lets a rank without a batch wait for the end of
/// the production; neither happens here (docs/differences.md).
class StreamingTokenBudgetSampler final : public GrpoGroupNSampler {
 public:
  /// Throws Error(kInvalidArgument) unless both are positive.
  StreamingTokenBudgetSampler(int64_t n_samples_per_prompt, int64_t balance_unit_multiplier);

  Sample sample(const SampleRequest& request) override;
  bool decides_readiness(const Map& sampling_config) const override;
  void clear_cache(const std::string& partition_id) override;
  /// Buckets are not saved: what is in one is dealt out anew.
  void load_checkpoint(const Value& state) override;

 private:
  struct Dealt {
    int64_t index;
    double tokens;  // as they were known when it was dealt
  };
  using Bucket = std::vector<Dealt>;
  /// One task of one partition.
  struct Stream {
    std::map<int64_t, Bucket> buckets;  // by rank: dealt, and in no batch yet
    std::unordered_set<int64_t> taken;  // in a bucket, or in a kept batch that nobody fetched yet
  };
  /// A request's own part of sampling_config.
  struct Wanted {
    double budget;
    int64_t dp_rank;
    int64_t dp_size;
    bool allow_underfill;
  };
  class Available;

  Wanted wanted_of(const Arguments& given) const;
  /// Keeps a batch of this index for each rank that has none, as far as there is something.
  void prepare(const SampleRequest& request, const Wanted& wanted, BatchKey key, Stream& stream);
  Sample next_batch(const SampleRequest& request, const Wanted& wanted, Stream& stream);
  /// Deals out the first `count` available samples that are whole groups. False if there are none.
  bool deal_groups(const SampleRequest& request, const Wanted& wanted, size_t count,
                   Stream& stream) const;
  void deal_rest(const SampleRequest& request, const Wanted& wanted, Stream& stream) const;
  /// Forgets what is not ready any more: consumed by another way, or cleared.
  static void drop_stale(const ReadySamples& ready, Stream& stream);
  static size_t fitting(const Bucket& bucket, double budget);
  static Sample take(Bucket& bucket, size_t count);
  size_t unit(const Wanted& wanted) const {
    return static_cast<size_t>(wanted.dp_size) * n_ * multiplier_;
  }

  const size_t multiplier_;
  std::map<std::pair<std::string, std::string>, Stream> streams_;  // by partition and task
};

}  // namespace tq::controller
