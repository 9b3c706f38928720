// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "controller/ready_indexes.h"
#include "wire/value.h"

namespace tq::controller {

class Partition;

/// What a sampler chooses from, and for whom.
struct SampleRequest {
  const ReadyIndexes& ready;  // ascending; at least batch_size, or has_cached_result() said true
  size_t batch_size;          // positive
  const Partition& partition;
  const std::string& task_name;
  const wire::Map& sampling_config;  // the client's keyword arguments; keys are str
};

struct Sample {
  std::vector<int64_t> sampled;   // what the client gets, in this order; may be empty
  std::vector<int64_t> consumed;  // what the task gets never again; often the same
};

/// Chooses which of the ready samples a fetch gets: the policy of a controller, for all partitions
/// and tasks. May keep batches that several ranks are to get alike. Called from one thread.
class Sampler {
 public:
  virtual ~Sampler() = default;

  /// Chooses a batch. Throws Error when the request makes no sense; then nothing is consumed.
  virtual Sample sample(const SampleRequest& request) = 0;

  /// Whether sample() would answer from a batch kept earlier, however many samples are ready. In
  /// polling mode such a request is served although too little is ready.
  virtual bool has_cached_result(const std::string& /*partition_id*/,
                                 const std::string& /*task_name*/,
                                 const wire::Map& /*sampling_config*/) const {
    return false;
  }

  /// The partition is gone: forgets what was kept for it.
  virtual void clear_cache(const std::string& /*partition_id*/) {}
};

}  // namespace tq::controller
