// SPDX-License-Identifier: Apache-2.0
#include "controller/samplers/batch_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "transfer_queue/error.h"

namespace tq::controller {
namespace {

std::optional<int64_t> batch_index_of(const Arguments& arguments) {
  if (arguments.find("batch_index") == nullptr) return std::nullopt;
  return arguments.integer("batch_index");
}

}  // namespace

const Sample* BatchCache::find(const BatchKey& key) const {
  const auto found = kept_.find(key);
  if (found != kept_.end()) return &found->second.sample;
  if (!cleared_.contains(key)) return nullptr;
  throw Error(
      ErrorCode::kNotFound,
      fmt::format("the batch that was kept for dp_rank {}{} of task '{}' was cleared", key.dp_rank,
                  key.batch_index ? fmt::format(", batch_index {}", *key.batch_index) : "",
                  key.task_name));
}

void BatchCache::keep(BatchKey key, Sample sample, std::string of_partition) {
  const auto known = kept_.find(key);
  if (known != kept_.end()) drop(known);
  cleared_.erase(key);
  sample.is_kept = true;
  Holders& holders = holders_[of_partition];
  const auto batch =
      kept_.emplace(std::move(key), Kept{std::move(sample), std::move(of_partition)}).first;
  for (const int64_t index : batch->second.sample.sampled) holders.emplace(index, batch);
}

void BatchCache::drop(Batches::iterator batch) {
  const auto of_partition = holders_.find(batch->second.of_partition);
  Holders& holders = of_partition->second;
  for (const int64_t index : batch->second.sample.sampled) {
    const auto [begin, end] = holders.equal_range(index);
    const auto own =
        std::find_if(begin, end, [&](const auto& entry) { return entry.second == batch; });
    if (own != end) holders.erase(own);
  }
  if (holders.empty()) holders_.erase(of_partition);
  kept_.erase(batch);
}

// Upstream forgets by the key's name alone; a batch whose client named no partition would be handed
// out again when its samples are long gone.
void BatchCache::clear(const std::string& partition_id) {
  for (auto batch = kept_.begin(); batch != kept_.end();) {
    const auto next = std::next(batch);
    const bool is_of_it =
        batch->first.partition_id == partition_id || batch->second.of_partition == partition_id;
    if (is_of_it) drop(batch);
    batch = next;
  }
  std::erase_if(cleared_, [&](const auto& entry) {
    return entry.first.partition_id == partition_id || entry.second == partition_id;
  });
}

void BatchCache::samples_cleared(const std::string& partition_id,
                                 const std::vector<int64_t>& indexes) {
  for (const int64_t index : indexes) {
    for (auto of_partition = holders_.find(partition_id); of_partition != holders_.end();
         of_partition = holders_.find(partition_id)) {
      const auto holder = of_partition->second.find(index);
      if (holder == of_partition->second.end()) break;
      const Batches::iterator batch = holder->second;
      cleared_.insert_or_assign(batch->first, partition_id);
      drop(batch);
    }
  }
}

bool CachingSampler::has_cached_result(const std::string& partition_id,
                                       const std::string& task_name,
                                       const Map& sampling_config) const {
  const Arguments given = arguments(sampling_config);
  if (given.find("dp_rank") == nullptr) return false;
  return cache_.contains(
      {partition_id, task_name, given.integer("dp_rank"), batch_index_of(given)});
}

std::optional<BatchKey> CachingSampler::key_of(const Arguments& arguments) {
  if (arguments.find("dp_rank") == nullptr) return std::nullopt;
  return BatchKey{arguments.text("partition_id", ""), arguments.text("task_name", ""),
                  arguments.integer("dp_rank"), batch_index_of(arguments)};
}

}  // namespace tq::controller
