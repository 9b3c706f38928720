// SPDX-License-Identifier: Apache-2.0
#include "controller/samplers/batch_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "controller/saved.h"
#include "transfer_queue/error.h"

namespace tq::controller {
namespace {

std::optional<int64_t> batch_index_of(const Arguments& arguments) {
  if (arguments.find("batch_index") == nullptr) return std::nullopt;
  return arguments.integer("batch_index");
}

// Of a batch that was cleared only the name is kept, so that it stays refused.
Map saved_batch(const BatchKey& key, const Sample& sample, const std::string& of_partition,
                bool is_cleared) {
  return {{"partition_id", key.partition_id},
          {"task_name", key.task_name},
          {"dp_rank", key.dp_rank},
          {"batch_index", key.batch_index ? Value(*key.batch_index) : Value()},
          {"sampled", saved::numbers(sample.sampled)},
          {"consumed", saved::numbers(sample.consumed)},
          {"of_partition", of_partition},
          {"cleared", is_cleared}};
}

void check_index(int64_t index) {
  if (index < 0) saved::fail("a sampler kept a sample of a negative index");
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

// Nil while nothing is kept, as of a sampler that never keeps anything.
Value BatchCache::to_value() const {
  if (kept_.empty() && cleared_.empty()) return {};
  Array batches;
  for (const auto& [key, kept] : kept_) {
    batches.emplace_back(saved_batch(key, kept.sample, kept.of_partition, false));
  }
  for (const auto& [key, of_partition] : cleared_) {
    batches.emplace_back(saved_batch(key, {}, of_partition, true));
  }
  return batches;
}

BatchCache BatchCache::from_value(const Value& value) {
  BatchCache cache;
  if (value.is_nil()) return cache;
  const auto* batches = value.get_if<Array>();
  if (batches == nullptr) saved::fail("what a sampler kept is no list of batches");
  const wire::Limits limits;
  for (Value batch : *batches) {
    BatchKey key{saved::take<std::string>(batch, "partition_id", limits),
                 saved::take<std::string>(batch, "task_name", limits),
                 saved::take<int64_t>(batch, "dp_rank", limits),
                 saved::take<std::optional<int64_t>>(batch, "batch_index", limits)};
    Sample sample{saved::take_numbers(batch, "sampled"), saved::take_numbers(batch, "consumed")};
    for (const int64_t index : sample.sampled) check_index(index);
    for (const int64_t index : sample.consumed) check_index(index);
    std::string of_partition = saved::take<std::string>(batch, "of_partition", limits);
    if (saved::take<bool>(batch, "cleared", limits)) {
      cache.cleared_.insert_or_assign(std::move(key), std::move(of_partition));
    } else {
      cache.keep(std::move(key), std::move(sample), std::move(of_partition));
    }
  }
  return cache;
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
