// SPDX-License-Identifier: Apache-2.0
#include "controller/samplers/batch_cache.h"

#include <utility>

#include "controller/saved.h"

namespace tq::controller {
namespace {

std::optional<int64_t> batch_index_of(const Arguments& arguments) {
  if (arguments.find("batch_index") == nullptr) return std::nullopt;
  return arguments.integer("batch_index");
}

void check_index(int64_t index) {
  if (index < 0) saved::fail("a sampler kept a sample of a negative index");
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

// Nil while nothing is kept, as of a sampler that never keeps anything.
Value BatchCache::to_value() const {
  if (kept_.empty()) return {};
  Array batches;
  for (const auto& [key, kept] : kept_) {
    batches.emplace_back(Map{{"partition_id", key.partition_id},
                             {"task_name", key.task_name},
                             {"dp_rank", key.dp_rank},
                             {"batch_index", key.batch_index ? Value(*key.batch_index) : Value()},
                             {"sampled", saved::numbers(kept.sample.sampled)},
                             {"consumed", saved::numbers(kept.sample.consumed)},
                             {"of_partition", kept.of_partition}});
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
    cache.keep(std::move(key), std::move(sample),
               saved::take<std::string>(batch, "of_partition", limits));
  }
  return cache;
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
