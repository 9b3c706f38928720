// SPDX-License-Identifier: Apache-2.0
// Tutorial 5: samplers of your own, the same story as Python's tutorial/05_custom_sampler.py.
//
// A sampler decides which of the ready samples a fetch gets, and which of them its task has then
// consumed:
//
//   Sample sample(const SampleRequest& request)
//     request.ready            samples whose fields are all produced and that the task has not
//                              consumed; they are looked at as far as you walk
//     request.batch_size       how many are wanted
//     request.sampling_config  what the client adds: the keyword arguments of Python's samplers
//     Sample::sampled          what the client gets, in this order
//     Sample::consumed         what its task never gets again; may be nothing
//
// It runs inside the controller, on the controller's thread, so it must not block. The controller
// is given one of your own in two ways, both shown here: as its only policy, or in a registry, from
// which clients choose by name for one request.
//
//   build/release/bin/tutorial_05_custom_sampler [SEED]
#include <torch/torch.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "transfer_queue/client.h"
#include "transfer_queue/nodes.h"
#include "transfer_queue/sampler.h"
#include "transfer_queue/torch.h"

namespace {

using Indexes = std::vector<int64_t>;

// Any `count` of the ready samples, each equally likely.
Indexes random_choice(const tq::ReadySamples& ready, size_t count, std::mt19937_64& random) {
  const Indexes all = ready.first(ready.count());
  Indexes chosen;
  std::sample(all.begin(), all.end(), std::back_inserter(chosen), count, random);
  std::shuffle(chosen.begin(), chosen.end(), random);
  return chosen;
}

// Sampler 1: with replacement. What was sampled stays ready, and may come again in a later batch.
class RandomSamplerWithReplacement : public tq::Sampler {
 public:
  explicit RandomSamplerWithReplacement(uint64_t seed) : random_(seed) {}
  tq::Sample sample(const tq::SampleRequest& request) override {
    return {random_choice(request.ready, request.batch_size, random_), {}};
  }

 private:
  std::mt19937_64 random_;
};

// Sampler 2: without replacement. No order of the data biases the training.
class RandomSamplerWithoutReplacement : public tq::Sampler {
 public:
  explicit RandomSamplerWithoutReplacement(uint64_t seed) : random_(seed) {}
  tq::Sample sample(const tq::SampleRequest& request) override {
    const Indexes chosen = random_choice(request.ready, request.batch_size, random_);
    return {chosen, chosen};
  }

 private:
  std::mt19937_64 random_;
};

// Sampler 3: the likelier, the higher a sample's score (its loss, say). The client gives the scores
// with its request: sampling_config["priority_scores"], a list with one number for each global
// index. Without them all are equally likely.
class PrioritySampler : public tq::Sampler {
 public:
  explicit PrioritySampler(uint64_t seed) : random_(seed) {}
  tq::Sample sample(const tq::SampleRequest& request) override {
    Indexes left = request.ready.first(request.ready.count());
    std::vector<double> weights;
    for (const int64_t index : left) weights.push_back(score(request.sampling_config, index));
    Indexes chosen;
    while (chosen.size() < request.batch_size) {
      const auto i = std::discrete_distribution<ptrdiff_t>(weights.begin(), weights.end())(random_);
      chosen.push_back(left[static_cast<size_t>(i)]);
      left.erase(left.begin() + i);
      weights.erase(weights.begin() + i);
    }
    return {chosen, chosen};
  }

 private:
  // What a client sends may be anything. An Error is the answer that it gets, and nothing is
  // consumed.
  static double score(const tq::Map& sampling_config, int64_t index) {
    const tq::Value config(sampling_config);
    const tq::Value* scores = config.find("priority_scores");
    if (scores == nullptr) return 1;
    const auto* list = scores->get_if<tq::Array>();
    const double* number = list != nullptr && static_cast<size_t>(index) < list->size()
                               ? (*list)[static_cast<size_t>(index)].get_if<double>()
                               : nullptr;
    if (number != nullptr && *number > 0) return *number;
    throw tq::Error(
        tq::ErrorCode::kInvalidArgument,
        "priority_scores must be a list with a positive float for sample " + std::to_string(index));
  }

  std::mt19937_64 random_;
};

// Samplers by name: those of the library, and these. A factory gets the arguments that were given
// with the name.
tq::SamplerRegistry all_samplers() {
  tq::SamplerRegistry registry = tq::SamplerRegistry::built_in();
  const auto add = [&]<class Mine>(std::type_identity<Mine>, const char* name) {
    registry.add(name, [](const tq::Map& arguments) {
      const tq::Value given(arguments);
      const tq::Value* seed = given.find("seed");
      const auto* number = seed != nullptr ? seed->get_if<int64_t>() : nullptr;
      return std::make_unique<Mine>(number != nullptr ? *number : std::random_device{}());
    });
  };
  add(std::type_identity<RandomSamplerWithReplacement>{}, "RandomSamplerWithReplacement");
  add(std::type_identity<RandomSamplerWithoutReplacement>{}, "RandomSamplerWithoutReplacement");
  add(std::type_identity<PrioritySampler>{}, "PrioritySampler");
  return registry;
}

std::string joined(const auto& items) {
  std::ostringstream line;
  for (const auto& item : items) line << (line.tellp() == 0 ? "" : ", ") << item;
  return line.str();
}

void put_samples(tq::TransferQueueClient& client, int64_t count) {
  client.put({{"input", tq::to_column(torch::arange(count).reshape({count, 1}))}}, "test");
  std::cout << "  added " << count << " samples\n";
}

// A batch, and tells of it.
Indexes get_batch(tq::TransferQueueClient& client, size_t count, tq::GetMetaOptions options = {}) {
  options.task_name = "demo_task";
  const Indexes got = client.get_meta({"input"}, count, "test", options).global_indexes;
  std::cout << "  a batch of " << got.size() << ": " << joined(got) << "\n";
  return got;
}

size_t different(Indexes indexes) {
  std::sort(indexes.begin(), indexes.end());
  return static_cast<size_t>(std::unique(indexes.begin(), indexes.end()) - indexes.begin());
}

// The batches of these sizes, one after the other.
Indexes get_batches(tq::TransferQueueClient& client, const std::vector<size_t>& sizes) {
  Indexes all;
  for (const size_t size : sizes) {
    const Indexes got = get_batch(client, size);
    all.insert(all.end(), got.begin(), got.end());
  }
  std::cout << "  " << all.size() << " in all, " << different(all) << " different\n";
  return all;
}

void with_replacement(int64_t seed) {
  std::cout << "\nExample 1: RandomSamplerWithReplacement\n";
  tq::LocalNodes nodes(
      {.sampler = all_samplers().make("RandomSamplerWithReplacement", {{"seed", seed}})});
  tq::TransferQueueClient client(nodes.addresses());
  put_samples(client, 5);
  get_batches(client, {2, 1, 2});
  // All five are ready still, whatever was sampled: the task has consumed none.
  const std::vector<int8_t> consumed = client.get_consumption_status("demo_task", "test").consumed;
  std::cout << "  consumed: " << std::count(consumed.begin(), consumed.end(), 1) << "\n";
}

void without_replacement(int64_t seed) {
  std::cout << "\nExample 2: RandomSamplerWithoutReplacement\n";
  tq::LocalNodes nodes({.sampler = std::make_unique<RandomSamplerWithoutReplacement>(seed)});
  tq::TransferQueueClient client(nodes.addresses());
  put_samples(client, 6);
  get_batches(client, {3, 1, 2});
  std::cout << "  all consumed: "
            << (client.check_consumption_status("demo_task", "test") ? "yes" : "no") << "\n";
}

void by_priority(int64_t seed) {
  std::cout << "\nExample 3: PrioritySampler\n";
  // This controller hands out in order, unless a request names a sampler.
  tq::LocalNodes nodes({.samplers = all_samplers()});
  tq::TransferQueueClient client(nodes.addresses());
  put_samples(client, 8);
  const std::vector<double> scores = {0.01, 0.01, 88, 999, 0.01, 0.01, 0.01, 10};
  std::cout << "  scores: " << joined(scores) << "\n";
  tq::GetMetaOptions options;
  options.sampler = "PrioritySampler";
  options.sampler_arguments = {{"seed", seed}};
  options.sampling_config = {{"priority_scores", tq::Array(scores.begin(), scores.end())}};
  for (const size_t size : {1, 2}) {
    std::vector<double> of_batch;
    for (const int64_t i : get_batch(client, size, options)) {
      of_batch.push_back(scores[static_cast<size_t>(i)]);
    }
    std::cout << "    of the scores " << joined(of_batch) << "\n";
  }
  // A mistake of the client's is its own, and costs nobody a sample.
  options.sampling_config = {{"priority_scores", tq::Array{0.5}}};
  try {
    get_batch(client, 1, options);
  } catch (const tq::Error& error) {
    std::cout << "  refused: " << error.what() << "\n";
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const int64_t seed = argc > 1 ? std::stoll(argv[1]) : 1;
    with_replacement(seed);
    without_replacement(seed);
    by_priority(seed);
  } catch (const std::exception& error) {
    std::cerr << "tutorial_05_custom_sampler: " << error.what() << "\n";
    return 1;
  }
  std::cout << "\nThe end. Samplers say how data is consumed: derive from tq::Sampler, return what "
               "is sampled and what is consumed.\n";
  return 0;
}
