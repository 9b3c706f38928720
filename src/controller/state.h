// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "checkpoint/file.h"
#include "controller/config.h"
#include "controller/index_allocator.h"
#include "controller/partitions.h"
#include "controller/samplers.h"

namespace tq::controller {

/// What a checkpoint says that a controller knows.
struct SavedState {
  explicit SavedState(const ControllerConfig& config);

  std::string id;  // of the controller that saved
  Partitions partitions;
  IndexAllocator indexes;
  wire::Array samplers;  // see Samplers::to_values()
};

/// Everything a controller knows. Handlers work on it; nothing else does.
class State {
 public:
  State(ControllerConfig config, std::unique_ptr<Sampler> sampler, SamplerRegistry registry);
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  const ControllerConfig config;
  const std::string id;
  Partitions partitions;
  IndexAllocator indexes;
  Samplers samplers;

  /// Jobs of checkpoints that were begun.
  checkpoint::JobCount jobs;

  /// Takes the place of everything known; waiting fetches are looked at again. Throws Error, with
  /// nothing changed, when a sampler does not take what was saved of it. The id stays: it tells one
  /// run of a controller from another.
  void restore(SavedState saved);

  /// How long a fetch waits for data.
  std::chrono::nanoseconds fetch_patience() const;

  /// Throws what registering `count` samples in the partition might throw, which may be new: so a
  /// request that fails has changed nothing.
  void ensure_can_register(std::string_view partition_id, size_t count);
  /// Registers samples, in a partition that is created when it is new: pre-allocated ones first.
  wire::Indexes register_samples(const std::string& partition_id, size_t count,
                                 runtime::TimePoint now);
  Partition& find_or_create_partition(const std::string& partition_id, runtime::TimePoint now);
  /// The task, created when it is new. Throws Error(kLimit) when the partition has too many.
  Consumption& obtain_task(Partition& partition, const std::string& task_name);

  /// Notes that a fetch which waits for this partition may go on.
  void changed(const std::string& partition_id);
  /// Notes that those who watch the partition's listing may have something to hear.
  void listing_changed(const std::string& partition_id);
  /// The topic of a request that waits for a change of the listing.
  std::string wait_for_listing(const std::string& partition_id);
  std::vector<std::string> take_changed() { return std::exchange(changed_, {}); }

 private:
  std::vector<std::string> changed_;
  bool listings_are_watched_ = false;  // by anybody since the start
};

}  // namespace tq::controller
