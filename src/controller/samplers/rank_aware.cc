// SPDX-License-Identifier: Apache-2.0
#include "controller/samplers/rank_aware.h"

#include <fmt/format.h>

#include <utility>

#include "transfer_queue/error.h"

namespace tq::controller {

Sample RankAwareSampler::sample(const SampleRequest& request) {
  const Arguments given = arguments(request.sampling_config);
  for (const char* name : {"dp_rank", "batch_index", "task_name", "partition_id"}) given.at(name);
  const BatchKey key = key_of(given).value();
  if (key.dp_rank < 0) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("dp_rank must not be negative, got {}", key.dp_rank));
  }
  if (const Sample* kept = cache_.find(key)) return *kept;
  std::vector<int64_t> first = request.ready.first(request.batch_size);
  if (first.size() < request.batch_size) return {};
  Sample sample{first, std::move(first)};
  cache_.keep(key, std::move(sample), request.partition_id);
  return *cache_.find(key);
}

}  // namespace tq::controller
