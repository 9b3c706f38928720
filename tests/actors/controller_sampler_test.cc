// SPDX-License-Identifier: Apache-2.0
// What a controller asks of a sampler, and what it does with the answer (upstream: get_metadata).
#include <functional>

#include "actors/controller_fixture.h"
#include "controller/partition.h"
#include "transfer_queue/error.h"

namespace tq::test {
namespace {

using controller::Sample;
using controller::SampleRequest;
using Indexes = std::vector<int64_t>;

/// Notes what it is asked, and answers what the test wants.
class Scripted : public controller::Sampler {
 public:
  struct Script {
    std::function<Sample(const SampleRequest&)> answer;
    bool cached = false;
    std::vector<std::string> cleared;
  };

  explicit Scripted(Script& script) : script_(script) {}
  Sample sample(const SampleRequest& request) override { return script_.answer(request); }
  bool has_cached_result(const std::string&, const std::string&, const wire::Map&) const override {
    return script_.cached;
  }
  void clear_cache(const std::string& partition) override { script_.cleared.push_back(partition); }

 private:
  Script& script_;
};

struct SamplerFixture {
  explicit SamplerFixture(bool polling = false)
      : fixture(config(polling), std::make_unique<Scripted>(script)) {
    fixture.insert("p", 4);
    fixture.produce("p", {0, 1, 2, 3});
  }
  static controller::ControllerConfig config(bool polling) {
    controller::ControllerConfig config = ControllerFixture::no_rest();
    config.polling_mode = polling;
    return config;
  }

  Scripted::Script script;
  ControllerFixture fixture;
};

TEST_CASE("sampler: sees the ready samples, the partition, the task and the client's arguments") {
  SamplerFixture f;
  f.script.answer = [](const SampleRequest& request) {
    CHECK(request.ready.first(9) == Indexes{0, 1, 2, 3});
    CHECK(request.batch_size == 2);
    CHECK(request.partition.id() == "p");
    CHECK(request.task_name == "task");
    CHECK(request.sampling_config.size() == 1);
    return Sample{{3, 1}, {2}};
  };
  wire::GetMeta fetch = f.fixture.fetch_of("p", 2);
  fetch.sampling_config = wire::Map{{"dp_rank", 0}};
  const Json batch = f.fixture.batch_of<wire::GetMetaResponse>(fetch);
  CHECK(batch.at("global_indexes").get<Indexes>() == Indexes{3, 1});  // in the sampler's order
  CHECK(f.fixture.consumption("p") == std::vector<int>{0, 0, 1, 0});
}

TEST_CASE("sampler: choosing none is an error, or an empty batch in polling mode") {
  const bool polling = GENERATE(false, true);
  SamplerFixture f(polling);
  f.script.answer = [](const SampleRequest&) { return Sample{{}, {1}}; };
  const wire::GetMeta fetch = f.fixture.fetch_of("p", 2);
  if (polling) {
    CHECK(f.fixture.batch_of<wire::GetMetaResponse>(fetch).at("_size") == 0);
  } else {
    CHECK(f.fixture.error_of(fetch).starts_with("GET_META failed: RuntimeError: "));
  }
  CHECK(f.fixture.consumption("p") == std::vector<int>{0, 0, 0, 0});
}

TEST_CASE("sampler: its error is the client's, and nothing is consumed") {
  SamplerFixture f;
  f.script.answer = [](const SampleRequest&) -> Sample {
    throw Error(ErrorCode::kInvalidArgument, "batch_size must be a multiple of 3");
  };
  CHECK(f.fixture.error_of(f.fixture.fetch_of("p", 2)) ==
        "GET_META failed: ValueError: batch_size must be a multiple of 3");
  CHECK(f.fixture.consumption("p") == std::vector<int>{0, 0, 0, 0});
}

TEST_CASE("sampler: a batch that it kept is served in polling mode although too little is ready") {
  SamplerFixture f(true);
  f.script.answer = [](const SampleRequest&) { return Sample{{0, 1}, {0, 1}}; };
  const wire::GetMeta fetch = f.fixture.fetch_of("p", 9);
  CHECK(f.fixture.batch_of<wire::GetMetaResponse>(fetch).at("_size") == 0);
  f.script.cached = true;
  CHECK(f.fixture.batch_of<wire::GetMetaResponse>(fetch).at("_size") == 2);
}

TEST_CASE("sampler: forgets a partition that is cleared") {
  SamplerFixture f;
  f.fixture.body_of<wire::ClearPartitionResponse>(wire::ClearPartition{"nowhere"});
  f.fixture.body_of<wire::ClearPartitionResponse>(wire::ClearPartition{"p"});
  CHECK(f.script.cleared == std::vector<std::string>{"p"});
}

}  // namespace
}  // namespace tq::test
