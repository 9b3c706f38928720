// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "controller/samplers/arguments.h"
#include "controller/samplers/grpo_group_n.h"
#include "controller/samplers/rank_aware.h"
#include "controller/samplers/seqlen_balanced.h"
#include "controller/samplers/sequential.h"
#include "controller/samplers/streaming_token_budget.h"
#include "transfer_queue/error.h"
#include "transfer_queue/sampler.h"

namespace tq {
namespace {

using controller::Arguments;

constexpr const char* kGroup = "n_samples_per_prompt";
constexpr const char* kRanks = "dp_size";
constexpr const char* kUnits = "balance_unit_multiplier";

std::unique_ptr<Sampler> make_sequential(const Map& map) {
  Arguments("SequentialSampler", map).allow_only({});
  return std::make_unique<controller::SequentialSampler>();
}

std::unique_ptr<Sampler> make_rank_aware(const Map& map) {
  Arguments("RankAwareSampler", map).allow_only({});
  return std::make_unique<controller::RankAwareSampler>();
}

std::unique_ptr<Sampler> make_grpo_group_n(const Map& map) {
  const Arguments arguments("GRPOGroupNSampler", map);
  arguments.allow_only({kGroup});
  return std::make_unique<controller::GrpoGroupNSampler>(arguments.integer(kGroup, 1));
}

std::unique_ptr<Sampler> make_seqlen_balanced(const Map& map) {
  const Arguments arguments("SeqlenBalancedSampler", map);
  arguments.allow_only({kGroup, kRanks});
  return std::make_unique<controller::SeqlenBalancedSampler>(arguments.integer(kGroup, 1),
                                                             arguments.integer(kRanks, 1));
}

std::unique_ptr<Sampler> make_streaming_token_budget(const Map& map) {
  const Arguments arguments("StreamingTokenBudgetSampler", map);
  arguments.allow_only({kGroup, kUnits});
  return std::make_unique<controller::StreamingTokenBudgetSampler>(arguments.integer(kGroup, 1),
                                                                   arguments.integer(kUnits, 1));
}

}  // namespace

SamplerRegistry SamplerRegistry::built_in() {
  SamplerRegistry registry;
  registry.add("SequentialSampler", make_sequential);
  registry.add("GRPOGroupNSampler", make_grpo_group_n);
  registry.add("RankAwareSampler", make_rank_aware);
  registry.add("SeqlenBalancedSampler", make_seqlen_balanced);
  registry.add("StreamingTokenBudgetSampler", make_streaming_token_budget);
  return registry;
}

void SamplerRegistry::add(std::string name, Factory factory) {
  const auto known = std::find_if(factories_.begin(), factories_.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  if (known != factories_.end()) {
    known->second = std::move(factory);
  } else {
    factories_.emplace_back(std::move(name), std::move(factory));
  }
}

std::unique_ptr<Sampler> SamplerRegistry::make(std::string_view name, const Map& arguments) const {
  for (const auto& [known, factory] : factories_) {
    if (known == name) return factory(arguments);
  }
  throw Error(ErrorCode::kInvalidArgument, fmt::format("there is no sampler '{}'; there are [{}]",
                                                       name, fmt::join(names(), ", ")));
}

std::vector<std::string> SamplerRegistry::names() const {
  std::vector<std::string> names;
  for (const auto& [name, factory] : factories_) names.push_back(name);
  return names;
}

}  // namespace tq
