// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "transfer_queue/sampler.h"

namespace tq::controller {

/// Upstream's default: the first batch_size ready samples, each given out once.
class SequentialSampler final : public Sampler {
 public:
  Sample sample(const SampleRequest& request) override;
};

}  // namespace tq::controller
