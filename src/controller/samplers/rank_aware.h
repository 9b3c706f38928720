// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "controller/samplers/batch_cache.h"

namespace tq::controller {

/// The first ready samples; every process of one data-parallel rank gets the same for the same
/// batch index (upstream: RankAwareSampler). sampling_config must have dp_rank, batch_index,
/// task_name and partition_id.
class RankAwareSampler final : public CachingSampler {
 public:
  RankAwareSampler() : CachingSampler("RankAwareSampler") {}
  Sample sample(const SampleRequest& request) override;
};

}  // namespace tq::controller
