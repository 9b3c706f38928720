// SPDX-License-Identifier: Apache-2.0
// What launchers ask a controller, and Python's controllers do not know: GET_PARTITION_SNAPSHOT and
// REGISTER_SAMPLER. tests/python compares the snapshot with what upstream's class shows.
#include "actors/controller_fixture.h"

namespace tq::test {
namespace {

using Indexes = std::vector<int64_t>;

Json snapshot(ControllerFixture& fixture, const std::string& partition) {
  return fixture.body_of<wire::GetPartitionSnapshotResponse>(wire::GetPartitionSnapshot{partition});
}

TEST_CASE("snapshot: a partition that is not there") {
  ControllerFixture fixture;
  const Json body = snapshot(fixture, "p");
  CHECK(body.at("metadata").is_null());
  CHECK(numbers_of(body.at("pre_allocated")).empty());
  CHECK(body.at("produced").empty());
  CHECK(body.at("keys").empty());
  CHECK(fixture.body_of<wire::ListPartitionsResponse>(wire::GetListPartitions{})
            .at("partition_ids")
            .empty());
}

TEST_CASE("snapshot: samples, fields, tasks, keys and tags") {
  controller::ControllerConfig config = ControllerFixture::no_rest();
  config.pre_alloc_samples = 4;
  ControllerFixture fixture(config);
  REQUIRE(fixture.register_keys("p", {"a", "b", "c"}) == Indexes{0, 1, 2});
  fixture.register_keys("q", {"elsewhere"});
  fixture.produce("p", {0, 1, 2}, {"late", "ids"});
  fixture.produce("p", {1}, {"text"});
  fixture.body_of<wire::SetCustomMetaResponse>(
      wire::SetCustomMeta{{{"p", {{1, wire::Map{{"score", 7}}}}}}});
  CHECK(fixture.fetch("p", 2, {"ids"}, "trainer") == Indexes{0, 1});
  fixture.clear("p", {0});

  const Json body = snapshot(fixture, "p");
  const Json& meta = body.at("metadata").at("$batchmeta");
  CHECK(meta.at("global_indexes").get<Indexes>() == Indexes{1, 2});
  CHECK(meta.at("custom_meta")[0].at("score") == 7);
  CHECK(meta.at("field_schema").size() == 3);
  CHECK(numbers_of(body.at("pre_allocated")) == Indexes{3});
  CHECK(numbers_of(body.at("produced").at("ids")) == Indexes{1, 2});
  CHECK(numbers_of(body.at("produced").at("late")) == Indexes{1, 2});
  CHECK(numbers_of(body.at("produced").at("text")) == Indexes{1});
  CHECK(body.at("consumed").size() == 1);
  CHECK(numbers_of(body.at("consumed").at("trainer")) == Indexes{1});
  CHECK(body.at("keys") == Json{{"b", 1}, {"c", 2}});
}

TEST_CASE("snapshot: changes nothing") {
  ControllerFixture fixture;
  fixture.insert("p", 2);
  fixture.produce("p", {0, 1});
  const Json first = snapshot(fixture, "p");
  CHECK(snapshot(fixture, "p") == first);
  CHECK(fixture.fetch("p", 2) == Indexes{0, 1});
}

TEST_CASE("register sampler: the next fetch is served by it") {
  ControllerFixture fixture;
  fixture.insert("p", 4);
  fixture.produce("p", {0, 2, 3});
  fixture.body_of<wire::RegisterSamplerResponse>(
      wire::RegisterSampler{"GRPOGroupNSampler", wire::Map{{"n_samples_per_prompt", 2}}});
  CHECK(fixture.fetch("p", 2) == Indexes{2, 3});
  fixture.body_of<wire::RegisterSamplerResponse>(wire::RegisterSampler{"SequentialSampler", {}});
  CHECK(fixture.fetch("p", 1) == Indexes{0});
}

TEST_CASE("register sampler: what is none changes nothing") {
  ControllerFixture fixture;
  fixture.insert("p", 2);
  fixture.produce("p", {0, 1});
  CHECK(
      fixture.error_of(wire::RegisterSampler{"PythonSampler", wire::Map{{"id", 0}}}) ==
      "REGISTER_SAMPLER failed: ValueError: body.sampler with body.arguments: there is no sampler "
      "'PythonSampler'; there are [SequentialSampler, GRPOGroupNSampler, RankAwareSampler, "
      "SeqlenBalancedSampler, StreamingTokenBudgetSampler]");
  CHECK(fixture.error_of(wire::RegisterSampler{"GRPOGroupNSampler", 3}) ==
        "REGISTER_SAMPLER failed: TypeError: body.arguments must be a dict, got int");
  const std::string negative = fixture.error_of(
      wire::RegisterSampler{"GRPOGroupNSampler", wire::Map{{"n_samples_per_prompt", -1}}});
  CHECK(negative.find("n_samples_per_prompt") != std::string::npos);
  CHECK(fixture.fetch("p", 1) == Indexes{0});
}

}  // namespace
}  // namespace tq::test
