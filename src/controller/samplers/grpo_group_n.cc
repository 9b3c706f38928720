// SPDX-License-Identifier: Apache-2.0
#include "controller/samplers/grpo_group_n.h"

#include <fmt/format.h>

#include <utility>

#include "transfer_queue/error.h"

namespace tq::controller {

size_t positive_argument(const char* name, int64_t value) {
  constexpr int64_t kMost = int64_t{1} << 20;
  if (value > 0 && value <= kMost) return static_cast<size_t>(value);
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{} must be positive and at most {}, got {}", name, kMost, value));
}

std::optional<std::vector<int64_t>> complete_groups(const ReadySamples& ready, size_t batch_size,
                                                    size_t n) {
  if (batch_size % n != 0) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("batch_size ({}) must be a multiple of n_samples_per_prompt ({})",
                            batch_size, n));
  }
  std::vector<int64_t> chosen;
  size_t run = 0;  // how many at the end of `chosen` are a group that is not complete yet
  ready.visit([&](int64_t index) {
    if (run > 0 && index != chosen.back() + 1) {
      chosen.resize(chosen.size() - run);
      run = 0;
    }
    chosen.push_back(index);
    run = run + 1 == n ? 0 : run + 1;
    return chosen.size() < batch_size || run > 0;
  });
  if (run > 0 || chosen.size() < batch_size) return std::nullopt;
  return chosen;
}

GrpoGroupNSampler::GrpoGroupNSampler(int64_t n_samples_per_prompt)
    : GrpoGroupNSampler("GRPOGroupNSampler", n_samples_per_prompt) {}

GrpoGroupNSampler::GrpoGroupNSampler(std::string name, int64_t n_samples_per_prompt)
    : CachingSampler(std::move(name)),
      n_(positive_argument("n_samples_per_prompt", n_samples_per_prompt)) {}

Sample GrpoGroupNSampler::sample(const SampleRequest& request) {
  const std::optional<BatchKey> key = key_of(arguments(request.sampling_config));
  if (key) {
    if (const Sample* kept = cache_.find(*key)) return *kept;
  }
  const auto groups = complete_groups(request.ready, request.batch_size, n_);
  if (!groups) return {};
  Sample sample{*groups, *groups};
  if (!key) return sample;
  cache_.keep(*key, std::move(sample), request.partition_id);
  return *cache_.find(*key);
}

}  // namespace tq::controller
