// SPDX-License-Identifier: Apache-2.0
#include "controller/state.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "transfer_queue/error.h"

namespace tq::controller {
namespace {

std::chrono::nanoseconds to_duration(double seconds) {
  constexpr double kLongest = 1e9;  // thirty years; more does not fit a time point
  const std::chrono::duration<double> bounded(std::clamp(seconds, 0.0, kLongest));
  return std::chrono::duration_cast<std::chrono::nanoseconds>(bounded);
}

// A partition may have such a name: whoever waits for it is then looked at once more than needed.
std::string listing_topic(const std::string& partition_id) { return "listing of " + partition_id; }

std::string id_or_fresh(const std::string& id) {
  return id.empty() ? fmt::format("TQ_CONTROLLER_{:08x}", std::random_device{}()) : id;
}

}  // namespace

State::State(ControllerConfig settings, std::unique_ptr<Sampler> sampler, SamplerRegistry registry)
    : config(std::move(settings)),
      id(id_or_fresh(config.id)),
      indexes(to_duration(config.index_rest_s), config.limits.global_index_max),
      samplers(std::move(registry), std::move(sampler), config.limits.samplers_max) {}

SavedState::SavedState(const ControllerConfig& config)
    : indexes(to_duration(config.index_rest_s), config.limits.global_index_max) {}

void State::restore(SavedState saved) {
  std::vector<std::string> touched;
  for (const Partition& partition : partitions) touched.push_back(partition.id());
  for (const Partition& partition : saved.partitions) touched.push_back(partition.id());
  const size_t partitions_touched = touched.size();
  for (size_t i = 0; i < partitions_touched && listings_are_watched_; ++i) {
    touched.push_back(listing_topic(touched[i]));
  }
  changed_.reserve(changed_.size() + touched.size());
  samplers.load(saved.samplers);
  partitions = std::move(saved.partitions);
  indexes = std::move(saved.indexes);
  for (std::string& topic : touched) changed_.push_back(std::move(topic));
}

std::chrono::nanoseconds State::fetch_patience() const {
  return to_duration(std::max(config.check_interval_s, config.get_metadata_timeout_s));
}

void State::ensure_can_register(std::string_view partition_id, size_t count) {
  if (count > config.limits.rows_max) {
    throw Error(ErrorCode::kLimit, fmt::format("{} samples are asked for; the limit is {}", count,
                                               config.limits.rows_max));
  }
  if (partitions.find(partition_id) == nullptr) {
    if (partitions.size() >= config.limits.partitions_max) {
      throw Error(ErrorCode::kLimit,
                  fmt::format("partition '{}' would be one more than the limit {}", partition_id,
                              config.limits.partitions_max));
    }
    count += config.pre_alloc_samples;
  }
  indexes.ensure_available(count);
}

wire::Indexes State::register_samples(const std::string& partition_id, size_t count,
                                      runtime::TimePoint now) {
  Partition& partition = find_or_create_partition(partition_id, now);
  wire::Indexes samples = partition.activate_pre_allocated(count);
  const wire::Indexes fresh = indexes.allocate(count - samples.size(), now);
  partition.activate(fresh);
  samples.insert(samples.end(), fresh.begin(), fresh.end());
  if (count > 0) changed(partition_id);  // a fetch without fields takes them as they are
  return samples;
}

Partition& State::find_or_create_partition(const std::string& partition_id,
                                           runtime::TimePoint now) {
  if (Partition* partition = partitions.find(partition_id)) return *partition;
  Partition& partition = partitions.create(partition_id);
  partition.pre_allocate(indexes.allocate(config.pre_alloc_samples, now));
  listing_changed(partition_id);
  return partition;
}

Consumption& State::obtain_task(Partition& partition, const std::string& task_name) {
  if (!partition.has_task(task_name) && partition.task_count() >= config.limits.tasks_max) {
    throw Error(ErrorCode::kLimit,
                fmt::format("task '{}' would be one more than the limit {} of partition '{}'",
                            task_name, config.limits.tasks_max, partition.id()));
  }
  return partition.task(task_name);
}

void State::changed(const std::string& partition_id) {
  if (std::find(changed_.begin(), changed_.end(), partition_id) == changed_.end()) {
    changed_.push_back(partition_id);
  }
}

void State::listing_changed(const std::string& partition_id) {
  if (listings_are_watched_) changed(listing_topic(partition_id));
}

std::string State::wait_for_listing(const std::string& partition_id) {
  listings_are_watched_ = true;
  return listing_topic(partition_id);
}

}  // namespace tq::controller
