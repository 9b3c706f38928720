// SPDX-License-Identifier: Apache-2.0
// What a controller asks of a sampler, and what it does with the answer (upstream: get_metadata).
#include <functional>

#include "actors/controller_fixture.h"
#include "controller/partition.h"
#include "transfer_queue/error.h"

namespace tq::test {
namespace {

using Indexes = std::vector<int64_t>;

/// Notes what it is asked, and answers what the test wants.
class Scripted : public Sampler {
 public:
  struct Script {
    std::function<Sample(const SampleRequest&)> answer;
    bool cached = false;
    bool decides = false;
    std::vector<std::string> cleared;
  };

  explicit Scripted(Script& script) : script_(script) {}
  Sample sample(const SampleRequest& request) override { return script_.answer(request); }
  bool has_cached_result(const std::string&, const std::string&, const wire::Map&) const override {
    return script_.cached;
  }
  bool decides_readiness(const wire::Map&) const override { return script_.decides; }
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
    CHECK(request.partition_id == "p");
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

TEST_CASE("sampler: sees the whole partition: what is produced, and what its task consumed") {
  SamplerFixture f;
  f.fixture.insert("p", 1);
  f.fixture.produce("p", {4}, {"g"});
  f.script.answer = [](const SampleRequest&) { return Sample{{4}, {4}}; };
  f.fixture.fetch("p", 1, {"g"}, "other");
  f.script.answer = [](const SampleRequest& request) {
    CHECK(request.partition.size() == 5);
    CHECK(request.partition.indexes() == Indexes{0, 1, 2, 3, 4});
    CHECK(request.partition.is_produced(3, "f"));
    CHECK_FALSE(request.partition.is_produced(4, "f"));
    CHECK_FALSE(request.partition.is_produced(3, "h"));
    CHECK_FALSE(request.partition.is_produced(-1, "f"));
    CHECK(request.partition.is_consumed(0) == !request.ready.contains(0));
    CHECK_FALSE(request.partition.is_consumed(4));  // that was another task
    CHECK_FALSE(request.partition.is_consumed(-1));
    CHECK_FALSE(request.ready.contains(4));
    CHECK_FALSE(request.ready.contains(-1));
    CHECK(request.ready.contains(3));
    const Indexes first = request.ready.first(1);
    return Sample{request.partition.is_production_done() ? Indexes{2} : first, first};
  };
  CHECK(f.fixture.fetch("p", 1) == Indexes{0});
  CHECK(f.fixture.fetch("p", 1) == Indexes{1});
  f.fixture.produce("p", {4});
  f.script.answer = [](const SampleRequest& request) {
    CHECK(request.partition.is_production_done());
    return Sample{{2}, {}};
  };
  CHECK(f.fixture.fetch("p", 1) == Indexes{2});
  CHECK(f.fixture.fetch("p", 1) == Indexes{2});  // nothing was consumed, so it is ready still
}

TEST_CASE("sampler: one that decides readiness is asked whatever is ready, until it has a batch") {
  const bool polling = GENERATE(false, true);
  SamplerFixture f(polling);
  f.script.decides = true;
  f.script.answer = [](const SampleRequest& request) {
    CHECK(request.batch_size == 0);
    return request.ready.count() < 5 ? Sample{} : Sample{{0, 4}, {0, 4}};
  };
  wire::GetMeta fetch = f.fixture.fetch_of("p", 0);
  fetch.batch_size.reset();
  if (polling) {
    CHECK(f.fixture.batch_of<wire::GetMetaResponse>(fetch).at("_size") == 0);
  } else {
    auto waiting = f.fixture.wait(fetch);
    f.fixture.produce("p", f.fixture.insert("p", 1));
    const Json reply = ControllerFixture::decoded(f.fixture.offer(waiting));
    CHECK(reply.at("body").at("metadata").at("$batchmeta").at("_size") == 2);
    f.script.answer = [](const SampleRequest&) { return Sample{}; };
    f.script.cached = true;  // so the empty batch is the answer
    CHECK(f.fixture.batch_of<wire::GetMetaResponse>(fetch).at("_size") == 0);
    f.script.cached = false;
    auto in_vain = f.fixture.wait(fetch);
    f.fixture.advance(5);
    const Json last = ControllerFixture::decoded(f.fixture.offer(in_vain));
    CHECK(last.at("body").at("metadata").at("$batchmeta").at("_size") == 0);
  }
}

TEST_CASE("sampler: a batch size that makes no sense is refused before the sampler is asked") {
  SamplerFixture f;
  f.script.decides = GENERATE(false, true);
  f.script.answer = [](const SampleRequest&) -> Sample {
    FAIL("it was asked");
    return {};
  };
  const auto refusal = [&](std::optional<int64_t> size) {
    wire::GetMeta fetch = f.fixture.fetch_of("p", 1);
    fetch.batch_size = size;
    return f.fixture.error_of(fetch);
  };
  using Catch::Matchers::Contains;
  CHECK_THAT(refusal(-1), Contains("body.batch_size must be positive in mode fetch"));
  CHECK_THAT(refusal(INT64_MIN), Contains("body.batch_size must be positive"));
  CHECK_THAT(refusal(INT64_MAX), Contains("body.batch_size is 9223372036854775807; the limit is"));
  if (!f.script.decides) CHECK_THAT(refusal(0), Contains("body.batch_size must be positive"));
  if (!f.script.decides) CHECK_THAT(refusal(std::nullopt), Contains("must be positive"));
  CHECK(f.fixture.consumption("p") == std::vector<int>{0, 0, 0, 0});
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

// GET_META in mode fetch whose extension chooses a sampler.
wire::Frames fetch_with(const wire::Value& name, const wire::Value& arguments, int64_t batch_size) {
  return ControllerFixture::frames_of(
      "GET_META",
      wire::Map{{"data_fields", wire::Array{"f"}},
                {"batch_size", batch_size},
                {"partition_id", "p"},
                {"task_name", "task"},
                {"sampling_config", wire::Map{{"dp_rank", 0}, {"batch_index", 7}}},
                {"x_tq",
                 wire::Map{{"version", 1}, {"sampler", name}, {"sampler_arguments", arguments}}}});
}

Indexes batch_of(const Json& reply) {
  return reply.at("body").at("metadata").at("$batchmeta").at("global_indexes").get<Indexes>();
}

std::string sentence_of(const Json& reply) { return reply.at("body").dump(); }

TEST_CASE("sampler: a request may choose one by name, which keeps its batches") {
  ControllerFixture fixture;
  fixture.insert("p", 7);
  fixture.produce("p", {0, 2, 3, 4, 5, 6});
  const wire::Value three = wire::Map{{"n_samples_per_prompt", 3}};
  const Json first = fixture.ask(fetch_with("GRPOGroupNSampler", three, 3));
  INFO(first.dump());
  CHECK(batch_of(first) == Indexes{2, 3, 4});
  CHECK(batch_of(fixture.ask(fetch_with("GRPOGroupNSampler", three, 3))) == Indexes{2, 3, 4});
  const wire::Value two = wire::Map{{"n_samples_per_prompt", 2}};  // another sampler, no such batch
  CHECK(batch_of(fixture.ask(fetch_with("GRPOGroupNSampler", two, 2))) == Indexes{5, 6});
  CHECK(batch_of(fixture.ask(fetch_with(wire::Value(), three, 1))) == Indexes{0});
}

TEST_CASE("sampler: a kept batch is refused when one of its samples was cleared, for ever") {
  ControllerFixture fixture;  // in which a freed index may be reused at once
  fixture.insert("p", 8);     // so that enough are ready, without which a kept batch waits too
  fixture.produce("p", {0, 1, 2, 3, 4, 5, 6, 7});
  const wire::Value two = wire::Map{{"n_samples_per_prompt", 2}};
  CHECK(batch_of(fixture.ask(fetch_with("GRPOGroupNSampler", two, 2))) == Indexes{0, 1});
  fixture.clear("p", {3});
  CHECK(batch_of(fixture.ask(fetch_with("GRPOGroupNSampler", two, 2))) == Indexes{0, 1});
  fixture.clear("p", {1});
  using Catch::Matchers::Contains;
  const std::string refusal = "the batch that was kept for dp_rank 0, batch_index 7";
  CHECK_THAT(sentence_of(fixture.ask(fetch_with("GRPOGroupNSampler", two, 2))), Contains(refusal));
  CHECK(fixture.insert("p", 2) == Indexes{1, 3});
  fixture.produce("p", {1, 3});
  CHECK_THAT(sentence_of(fixture.ask(fetch_with("GRPOGroupNSampler", two, 2))), Contains(refusal));
  fixture.body_of<wire::ClearPartitionResponse>(wire::ClearPartition{"p"});
  fixture.insert("p", 2);
  fixture.produce("p", {0, 1});
  CHECK(batch_of(fixture.ask(fetch_with("GRPOGroupNSampler", two, 2))) == Indexes{0, 1});
}

TEST_CASE("sampler: a kept batch stays its key's when its first peer is gone") {
  ControllerFixture fixture;
  fixture.insert("p", 6);
  fixture.produce("p", {0, 1, 2, 3, 4, 5});
  const wire::Value two = wire::Map{{"n_samples_per_prompt", 2}};
  const runtime::Outcome lost =
      fixture.outcome(fixture.request_of(fetch_with("GRPOGroupNSampler", two, 2)));
  CHECK_FALSE(std::get<runtime::Reply>(lost).undo);
  CHECK(fixture.fetch("p", 2) == Indexes{2, 3});
  CHECK(batch_of(fixture.ask(fetch_with("GRPOGroupNSampler", two, 2))) == Indexes{0, 1});
}

TEST_CASE("sampler: one that is unknown or made wrongly is refused, and nothing is consumed") {
  ControllerFixture fixture;
  fixture.insert("p", 4);
  fixture.produce("p", {0, 1, 2, 3});
  const auto refusal = [&](const wire::Value& name, const wire::Value& arguments) {
    return sentence_of(fixture.ask(fetch_with(name, arguments, 2)));
  };
  using Catch::Matchers::Contains;
  CHECK_THAT(refusal("Random", wire::Map{}),
             Contains("there is no sampler 'Random'") && Contains("SeqlenBalancedSampler"));
  CHECK_THAT(refusal(5, wire::Map{}), Contains("body.x_tq.sampler must be a str, got int"));
  CHECK_THAT(refusal("RankAwareSampler", 1), Contains("sampler_arguments must be a dict"));
  CHECK_THAT(refusal("GRPOGroupNSampler", wire::Map{{"n", 2}}), Contains("no argument 'n'"));
  CHECK_THAT(refusal("GRPOGroupNSampler", wire::Map{{"n_samples_per_prompt", 0}}),
             Contains("n_samples_per_prompt must be positive"));
  CHECK_THAT(refusal("GRPOGroupNSampler", wire::Map{{"n_samples_per_prompt", INT64_MAX}}),
             Contains("at most"));
  CHECK_THAT(refusal("SeqlenBalancedSampler", wire::Map{{"dp_size", "two"}}),
             Contains("'dp_size' must be an int, got str"));
  CHECK_THAT(refusal("GRPOGroupNSampler", wire::Map{{"n_samples_per_prompt", 3}}),
             Contains("batch_size (2) must be a multiple of n_samples_per_prompt (3)"));
  CHECK_THAT(refusal("RankAwareSampler", wire::Map{}), Contains("must have 'task_name'"));
  CHECK(fixture.consumption("p") == std::vector<int>{0, 0, 0, 0});
}

TEST_CASE("sampler: in a partition that is not there it is not asked, and none is made") {
  SamplerFixture f;
  f.script.decides = GENERATE(false, true);
  f.script.answer = [](const SampleRequest&) -> Sample {
    FAIL("it was asked");
    return {};
  };
  auto waiting = f.fixture.wait(f.fixture.fetch_of("nowhere", 1));
  CHECK(waiting.wait.topic == "nowhere");
  f.fixture.advance(5);
  const Json last = ControllerFixture::decoded(f.fixture.offer(waiting));
  if (f.script.decides) {
    CHECK(last.at("body").at("metadata").at("$batchmeta").at("_size") == 0);
  } else {
    CHECK_THAT(last.dump(), Catch::Matchers::Contains("samples of partition 'nowhere'"));
  }
  const Json partitions =
      f.fixture.body_of<wire::ListPartitionsResponse>(wire::GetListPartitions{});
  CHECK(partitions.at("partition_ids") == Json({"p"}));
}

TEST_CASE("sampler: sampling_config that none can take is refused, and nothing is consumed") {
  ControllerFixture fixture(ControllerFixture::no_rest(),
                            SamplerRegistry::built_in().make("RankAwareSampler"));
  fixture.insert("p", 2);
  fixture.produce("p", {0, 1});
  const auto refusal = [&](wire::Value config) {
    wire::GetMeta fetch = fixture.fetch_of("p", 1);
    fetch.sampling_config = std::move(config);
    return fixture.error_of(fetch);
  };
  const auto ranked = [&](const wire::Value& rank, const wire::Value& batch) {
    return refusal(wire::Map{
        {"dp_rank", rank}, {"batch_index", batch}, {"task_name", "t"}, {"partition_id", "p"}});
  };
  using Catch::Matchers::Contains;
  CHECK_THAT(refusal("fast"), Contains("body.sampling_config must be a dict, got str"));
  CHECK_THAT(refusal(wire::Map{{1, 2}}), Contains("must have str keys, got int"));
  CHECK_THAT(refusal(wire::Map{{"batch_size", 2}}), Contains("sampling_config.batch_size is not"));
  CHECK_THAT(refusal(wire::Map{}), Contains("must have 'dp_rank'"));
  CHECK_THAT(ranked(-1, 0), Contains("dp_rank must not be negative, got -1"));
  CHECK_THAT(ranked("first", 0), Contains("'dp_rank' must be an int, got str"));
  CHECK_THAT(ranked(0, 0.5), Contains("'batch_index' must be an int, got float"));
  CHECK_THAT(ranked(wire::Array{0}, 0), Contains("'dp_rank' must be an int, got list"));
  CHECK(fixture.consumption("p") == std::vector<int>{0, 0});
}

TEST_CASE("sampler: clients choose no more of them than the limit") {
  controller::ControllerConfig config = ControllerFixture::no_rest();
  config.limits.samplers_max = 2;
  ControllerFixture fixture(config);
  fixture.insert("p", 2);
  fixture.produce("p", {0, 1});
  for (const int n : {1, 2, 3, 1}) {
    const wire::Value arguments = wire::Map{{"n_samples_per_prompt", n}};
    const Json reply = fixture.ask(fetch_with("GRPOGroupNSampler", arguments, n));
    INFO(reply.dump());
    CHECK((reply.dump().find("one more than the limit 2") != std::string::npos) == (n == 3));
    fixture.body_of<wire::ResetConsumptionResponse>(wire::ResetConsumption{"p", std::nullopt});
  }
}

TEST_CASE("sampler: a sample that the partition does not have is refused") {
  SamplerFixture f;
  f.script.answer = [](const SampleRequest&) { return Sample{{0, 17}, {0, 17}}; };
  CHECK(f.fixture.error_of(f.fixture.fetch_of("p", 2)) ==
        "GET_META failed: KeyError: the sampler chose sample 17, which partition 'p' does not "
        "have");
  CHECK(f.fixture.consumption("p") == std::vector<int>{0, 0, 0, 0});
}

}  // namespace
}  // namespace tq::test
