// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "controller/samplers/batch_cache.h"

namespace tq::controller {

/// Complete groups for all ranks at once, shared out so that each rank gets about as many tokens
/// (upstream: SeqlenBalancedSampler). A sample's length is custom_meta["total_lengths"], 1 where
/// there is none. The first rank that asks for a batch index decides; batch_size is one rank's.
class SeqlenBalancedSampler final : public CachingSampler {
 public:
  /// Throws Error(kInvalidArgument) unless both are positive.
  SeqlenBalancedSampler(int64_t n_samples_per_prompt, int64_t dp_size);
  Sample sample(const SampleRequest& request) override;

 private:
  /// A batch for each rank; empty when too few groups are complete.
  std::vector<std::vector<int64_t>> share_out(const SampleRequest& request) const;

  const size_t n_;
  const size_t dp_size_;
};

}  // namespace tq::controller
