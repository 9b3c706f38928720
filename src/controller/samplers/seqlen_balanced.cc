// SPDX-License-Identifier: Apache-2.0
#include "controller/samplers/seqlen_balanced.h"

#include <fmt/format.h>

#include "controller/samplers/grpo_group_n.h"
#include "controller/samplers/karmarkar_karp.h"
#include "controller/samplers/total_lengths.h"
#include "transfer_queue/error.h"

namespace tq::controller {
SeqlenBalancedSampler::SeqlenBalancedSampler(int64_t n_samples_per_prompt, int64_t dp_size)
    : CachingSampler("SeqlenBalancedSampler"),
      n_(positive_argument("n_samples_per_prompt", n_samples_per_prompt)),
      dp_size_(positive_argument("dp_size", dp_size)) {}

std::vector<std::vector<int64_t>> SeqlenBalancedSampler::share_out(
    const SampleRequest& request) const {
  const auto chosen = complete_groups(request.ready, request.batch_size * dp_size_, n_);
  if (!chosen) return {};
  const size_t groups = chosen->size() / n_;
  if (groups % dp_size_ != 0) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("SeqlenBalancedSampler: batch_size {} makes {} groups of {}, which {} "
                            "ranks cannot share equally; take a multiple of {}",
                            request.batch_size, groups, n_, dp_size_, n_));
  }
  std::vector<double> lengths(groups, 0);
  for (size_t i = 0; i < chosen->size(); ++i) {
    lengths[i / n_] +=
        total_length(request.ready, (*chosen)[i], "SeqlenBalancedSampler").value_or(1);
  }
  std::vector<std::vector<int64_t>> batches;
  for (const std::vector<size_t>& part : balanced_parts(lengths, dp_size_)) {
    std::vector<int64_t>& batch = batches.emplace_back();
    for (const size_t group : part) {
      const auto first = chosen->begin() + static_cast<ptrdiff_t>(group * n_);
      batch.insert(batch.end(), first, first + static_cast<ptrdiff_t>(n_));
    }
  }
  return batches;
}

Sample SeqlenBalancedSampler::sample(const SampleRequest& request) {
  const Arguments given = arguments(request.sampling_config);
  BatchKey key{given.text("partition_id", ""), given.text("task_name", ""),
               given.integer("dp_rank", 0), given.integer("batch_index", 0)};
  const int64_t rank = key.dp_rank;
  if (rank < 0) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("dp_rank must not be negative, got {}", rank));
  }
  const auto batch_of = [&](int64_t of_rank) {
    key.dp_rank = of_rank;
    const Sample* kept = cache_.find(key);
    return kept != nullptr ? *kept : Sample{};
  };
  constexpr int64_t kDecider = 0;  // once decided, rank 0 has a batch
  key.dp_rank = kDecider;
  if (!cache_.contains(key)) {
    const std::vector<std::vector<int64_t>> batches = share_out(request);
    for (size_t i = 0; i < batches.size(); ++i) {
      key.dp_rank = static_cast<int64_t>(i);
      cache_.keep(key, {batches[i], batches[i]}, request.partition_id);
    }
  }
  return batch_of(rank);
}

}  // namespace tq::controller
