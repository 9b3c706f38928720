// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "controller/samplers/batch_cache.h"

namespace tq::controller {

/// The first groups of n samples with consecutive global indexes that are ready as a whole: the n
/// responses to one prompt are trained on together (upstream: GRPOGroupNSampler).
class GrpoGroupNSampler : public CachingSampler {
 public:
  /// Throws Error(kInvalidArgument) unless n is positive.
  explicit GrpoGroupNSampler(int64_t n_samples_per_prompt);
  Sample sample(const SampleRequest& request) override;

 protected:
  /// For one that derives from it, and calls itself `name`.
  GrpoGroupNSampler(std::string name, int64_t n_samples_per_prompt);

  const size_t n_;
};

/// The first complete groups of n, `batch_size` samples in all; nothing when there are fewer.
/// Throws Error(kInvalidArgument) when batch_size is no multiple of n.
std::optional<std::vector<int64_t>> complete_groups(const ReadySamples& ready, size_t batch_size,
                                                    size_t n);
/// Throws Error(kInvalidArgument), naming the argument.
size_t positive_argument(const char* name, int64_t value);

}  // namespace tq::controller
