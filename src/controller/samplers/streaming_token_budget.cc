// SPDX-License-Identifier: Apache-2.0
#include "controller/samplers/streaming_token_budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "controller/samplers/karmarkar_karp.h"
#include "controller/samplers/total_lengths.h"
#include "transfer_queue/error.h"

namespace tq::controller {
namespace {

double tokens_in(const auto& bucket) {
  return std::accumulate(bucket.begin(), bucket.end(), 0.0,
                         [](double sum, const auto& dealt) { return sum + dealt.tokens; });
}

bool truth(const Value& value) {
  if (const auto* flag = value.get_if<bool>()) return *flag;
  if (const auto* number = value.get_if<int64_t>()) return *number != 0;
  throw Error(ErrorCode::kWrongType,
              fmt::format("StreamingTokenBudgetSampler: allow_underfill and production_done must "
                          "be bools, got {}",
                          value.kind_name()));
}

bool is_production_done(const SampleRequest& request, const Arguments& given) {
  const Value* said = given.find("production_done");
  return said != nullptr ? truth(*said) : request.partition.is_production_done();
}

}  // namespace

/// The ready samples that are in no bucket and no batch.
class StreamingTokenBudgetSampler::Available final : public ReadySamples {
 public:
  Available(const ReadySamples& ready, const std::unordered_set<int64_t>& taken)
      : ready_(ready), taken_(taken) {}
  std::vector<int64_t> first(size_t count) const override {
    std::vector<int64_t> indexes;
    if (count == 0) return indexes;
    visit([&](int64_t index) {
      indexes.push_back(index);
      return indexes.size() < count;
    });
    return indexes;
  }
  void visit(const std::function<bool(int64_t)>& visit) const override {
    ready_.visit([&](int64_t index) { return taken_.contains(index) || visit(index); });
  }
  bool contains(int64_t index) const override {
    return !taken_.contains(index) && ready_.contains(index);
  }
  size_t count() const override { return count_up_to(SIZE_MAX); }
  /// How many there are, or `most` if there are more.
  size_t count_up_to(size_t most) const {
    size_t count = 0;
    visit([&](int64_t) { return ++count < most; });
    return count;
  }
  const Value* custom_meta(int64_t index) const override { return ready_.custom_meta(index); }

 private:
  const ReadySamples& ready_;
  const std::unordered_set<int64_t>& taken_;
};

StreamingTokenBudgetSampler::StreamingTokenBudgetSampler(int64_t n_samples_per_prompt,
                                                         int64_t balance_unit_multiplier)
    : GrpoGroupNSampler("StreamingTokenBudgetSampler", n_samples_per_prompt),
      multiplier_(positive_argument("balance_unit_multiplier", balance_unit_multiplier)) {}

bool StreamingTokenBudgetSampler::decides_readiness(const Map& sampling_config) const {
  return arguments(sampling_config).find("token_budget") != nullptr;
}

void StreamingTokenBudgetSampler::clear_cache(const std::string& partition_id) {
  GrpoGroupNSampler::clear_cache(partition_id);
  std::erase_if(streams_, [&](const auto& entry) { return entry.first.first == partition_id; });
}

// Kept batches that nobody fetched yet hold ready samples, which must not be dealt out again.
void StreamingTokenBudgetSampler::load_checkpoint(const Value& state) {
  GrpoGroupNSampler::load_checkpoint(state);
  streams_.clear();
  cache_.for_each([&](const BatchKey& key, const Sample& kept) {
    streams_[{key.partition_id, key.task_name}].taken.insert(kept.sampled.begin(),
                                                             kept.sampled.end());
  });
}

StreamingTokenBudgetSampler::Wanted StreamingTokenBudgetSampler::wanted_of(
    const Arguments& given) const {
  const Value* underfill = given.find("allow_underfill");
  const Wanted wanted{static_cast<double>(given.integer("token_budget")), given.integer("dp_rank"),
                      given.integer("dp_size"), underfill == nullptr || truth(*underfill)};
  positive_argument("dp_size", wanted.dp_size);
  if (wanted.budget <= 0) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}: token_budget must be positive, got {}", name(), wanted.budget));
  }
  if (wanted.dp_rank < 0 || wanted.dp_rank >= wanted.dp_size) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}: dp_rank must be from 0 to {} with dp_size {}, got {}", name(),
                            wanted.dp_size - 1, wanted.dp_size, wanted.dp_rank));
  }
  return wanted;
}

Sample StreamingTokenBudgetSampler::sample(const SampleRequest& request) {
  const Arguments given = arguments(request.sampling_config);
  if (given.find("token_budget") == nullptr) return GrpoGroupNSampler::sample(request);
  const Wanted wanted = wanted_of(given);
  Stream& stream = streams_[{request.partition_id, request.task_name}];
  if (given.find("batch_index") == nullptr) return next_batch(request, wanted, stream);
  const BatchKey key{request.partition_id, request.task_name, wanted.dp_rank,
                     given.integer("batch_index")};
  if (!cache_.contains(key)) prepare(request, wanted, key, stream);
  const Sample* kept = cache_.find(key);
  if (kept == nullptr) return {};
  for (const int64_t index : kept->sampled) stream.taken.erase(index);  // it is consumed now
  return *kept;
}

void StreamingTokenBudgetSampler::prepare(const SampleRequest& request, const Wanted& wanted,
                                          BatchKey key, Stream& stream) {
  drop_stale(request.ready, stream);
  const Available available(request.ready, stream.taken);
  const auto is_full = [&](const auto& entry) {
    key.dp_rank = entry.first;
    return cache_.contains(key) || tokens_in(entry.second) >= wanted.budget;
  };
  const auto dp_size = static_cast<size_t>(wanted.dp_size);
  // A round may be smaller than the unit, lest a slow producer holds everybody up; but each rank
  // gets equally many samples.
  const size_t least = std::lcm(n_, dp_size);
  while (stream.buckets.size() < dp_size ||
         !std::all_of(stream.buckets.begin(), stream.buckets.end(), is_full)) {
    const size_t count = available.count_up_to(unit(wanted)) / least * least;
    if (count == 0 || !deal_groups(request, wanted, count, stream)) break;
  }
  if (available.count_up_to(1) > 0 &&
      is_production_done(request, arguments(request.sampling_config))) {
    deal_rest(request, wanted, stream);
  }
  for (auto& [rank, bucket] : stream.buckets) {
    key.dp_rank = rank;
    if (bucket.empty() || cache_.contains(key)) continue;
    cache_.keep(key, take(bucket, fitting(bucket, wanted.budget)), request.partition_id);
  }
}

Sample StreamingTokenBudgetSampler::next_batch(const SampleRequest& request, const Wanted& wanted,
                                               Stream& stream) {
  drop_stale(request.ready, stream);
  const Available available(request.ready, stream.taken);
  Bucket& bucket = stream.buckets[wanted.dp_rank];
  const auto hand_out = [&](size_t count) {
    Sample batch = take(bucket, count);
    for (const int64_t index : batch.sampled) stream.taken.erase(index);
    return batch;
  };
  do {
    const size_t count = fitting(bucket, wanted.budget);
    const Bucket front(bucket.begin(), bucket.begin() + static_cast<ptrdiff_t>(count));
    if (count < bucket.size() || (count > 0 && tokens_in(front) >= wanted.budget)) {
      return hand_out(count);
    }
  } while (available.count_up_to(unit(wanted)) == unit(wanted) &&
           deal_groups(request, wanted, unit(wanted), stream));
  return wanted.allow_underfill ? hand_out(bucket.size()) : Sample{};
}

bool StreamingTokenBudgetSampler::deal_groups(const SampleRequest& request, const Wanted& wanted,
                                              size_t count, Stream& stream) const {
  const Available available(request.ready, stream.taken);
  const auto chosen = complete_groups(available, count, n_);
  if (!chosen) return false;
  std::vector<double> tokens;
  for (const int64_t index : *chosen) {
    tokens.push_back(total_length(request.ready, index, name().c_str()).value_or(wanted.budget));
  }
  // Samples, not groups, are balanced: what a group is for was computed before a trainer asks.
  const auto parts = balanced_parts(tokens, static_cast<size_t>(wanted.dp_size));
  for (size_t rank = 0; rank < parts.size(); ++rank) {
    Bucket& bucket = stream.buckets[static_cast<int64_t>(rank)];
    for (const size_t i : parts[rank]) bucket.push_back({(*chosen)[i], tokens[i]});
  }
  stream.taken.insert(chosen->begin(), chosen->end());
  return true;
}

void StreamingTokenBudgetSampler::deal_rest(const SampleRequest& request, const Wanted& wanted,
                                            Stream& stream) const {
  const Available available(request.ready, stream.taken);
  const std::vector<int64_t> rest = available.first(SIZE_MAX);
  std::vector<double> tokens;
  tokens.reserve(rest.size());
  for (const int64_t index : rest) {
    tokens.push_back(total_length(request.ready, index, name().c_str()).value_or(wanted.budget));
  }
  const auto dp_size = static_cast<size_t>(wanted.dp_size);
  std::vector<std::vector<size_t>> parts;
  if (rest.size() >= dp_size) {
    parts = balanced_parts(tokens, dp_size, PartSizes::kAny);
  } else {
    for (size_t i = 0; i < rest.size(); ++i) parts.push_back({i});
  }
  for (size_t rank = 0; rank < parts.size(); ++rank) {
    Bucket& bucket = stream.buckets[static_cast<int64_t>(rank)];
    for (const size_t i : parts[rank]) bucket.push_back({rest[i], tokens[i]});
  }
  stream.taken.insert(rest.begin(), rest.end());
}

void StreamingTokenBudgetSampler::drop_stale(const ReadySamples& ready, Stream& stream) {
  const auto is_stale = [&](const Dealt& dealt) { return !ready.contains(dealt.index); };
  for (auto& [rank, bucket] : stream.buckets) std::erase_if(bucket, is_stale);
  std::erase_if(stream.taken, [&](int64_t index) { return !ready.contains(index); });
}

// How many of the first fit the budget; one at least.
size_t StreamingTokenBudgetSampler::fitting(const Bucket& bucket, double budget) {
  double sum = 0;
  for (size_t i = 0; i < bucket.size(); ++i) {
    if (sum > 0 && sum + bucket[i].tokens > budget) return i;
    sum += bucket[i].tokens;
    if (sum >= budget) return i + 1;
  }
  return bucket.size();
}

Sample StreamingTokenBudgetSampler::take(Bucket& bucket, size_t count) {
  Sample batch;
  const auto end = bucket.begin() + static_cast<ptrdiff_t>(count);
  for (auto dealt = bucket.begin(); dealt != end; ++dealt) batch.sampled.push_back(dealt->index);
  bucket.erase(bucket.begin(), end);
  batch.consumed = batch.sampled;
  return batch;
}

}  // namespace tq::controller
