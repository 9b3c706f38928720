// SPDX-License-Identifier: Apache-2.0
#include "controller/samplers/batch_cache.h"

#include <utility>

namespace tq::controller {
namespace {

std::optional<int64_t> batch_index_of(const Arguments& arguments) {
  if (arguments.find("batch_index") == nullptr) return std::nullopt;
  return arguments.integer("batch_index");
}

}  // namespace

const Sample* BatchCache::find(const BatchKey& key) const {
  const auto found = kept_.find(key);
  return found != kept_.end() ? &found->second.sample : nullptr;
}

void BatchCache::keep(BatchKey key, Sample sample, std::string of_partition) {
  kept_.insert_or_assign(std::move(key), Kept{std::move(sample), std::move(of_partition)});
}

// Upstream forgets by the key's name alone; a batch whose client named no partition would be handed
// out again when its samples are long gone.
void BatchCache::clear(const std::string& partition_id) {
  std::erase_if(kept_, [&](const auto& entry) {
    return entry.first.partition_id == partition_id || entry.second.of_partition == partition_id;
  });
}

bool CachingSampler::has_cached_result(const std::string& partition_id,
                                       const std::string& task_name,
                                       const Map& sampling_config) const {
  const Arguments given = arguments(sampling_config);
  if (given.find("dp_rank") == nullptr) return false;
  return cache_.find({partition_id, task_name, given.integer("dp_rank"), batch_index_of(given)}) !=
         nullptr;
}

std::optional<BatchKey> CachingSampler::key_of(const Arguments& arguments) {
  if (arguments.find("dp_rank") == nullptr) return std::nullopt;
  return BatchKey{arguments.text("partition_id", ""), arguments.text("task_name", ""),
                  arguments.integer("dp_rank"), batch_index_of(arguments)};
}

}  // namespace tq::controller
