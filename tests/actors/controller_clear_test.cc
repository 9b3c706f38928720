// SPDX-License-Identifier: Apache-2.0
// What a clear leaves, and what late messages cannot do to an index's next owner.
#include "actors/controller_fixture.h"

namespace tq::test {
namespace {

using Indexes = std::vector<int64_t>;

std::string tags_of(ControllerFixture& fixture, const std::string& partition) {
  return fixture.body_of<wire::KvListResponse>(wire::KvList{partition})
      .at("partition_info")
      .at(partition)
      .dump();
}

void set_tag(ControllerFixture& fixture, const std::string& partition, int64_t index,
             wire::Value tag) {
  fixture.body_of<wire::SetCustomMetaResponse>(
      wire::SetCustomMeta{{{partition, {{index, std::move(tag)}}}}});
}

TEST_CASE("clear: the next owner of an index inherits nothing") {
  ControllerFixture fixture;
  fixture.register_keys("p", {"a", "b"});
  fixture.produce("p", {0, 1});
  set_tag(fixture, "p", 0, wire::Map{{"score", 1}});
  fixture.fetch("p", 1);
  fixture.clear("p", {0});
  CHECK(fixture.register_keys("p", {"c"}) == Indexes{0});
  CHECK(tags_of(fixture, "p") == R"({"b":{},"c":{}})");
  CHECK(fixture.consumption("p") == std::vector<int>{0, 0});
  CHECK(fixture.fetch("p", 1) == Indexes{1});
  fixture.produce("p", {0});
  CHECK(fixture.fetch("p", 1) == Indexes{0});
}

TEST_CASE("clear: a tag that comes late is dropped, and a new one replaces the old one whole") {
  ControllerFixture fixture;
  fixture.register_keys("p", {"a"});
  set_tag(fixture, "p", 0, wire::Map{{"x", 1}, {"y", 2}});
  set_tag(fixture, "p", 0, wire::Map{{"y", 3}});
  CHECK(tags_of(fixture, "p") == R"({"a":{"y":3}})");
  fixture.clear("p", {0});
  set_tag(fixture, "p", 0, wire::Map{{"late", 1}});
  set_tag(fixture, "nowhere", 0, wire::Map{{"late", 1}});
  fixture.register_keys("p", {"b"});
  CHECK(tags_of(fixture, "p") == R"({"b":{}})");
  set_tag(fixture, "p", 0, wire::Map{{"z", 1}});
  set_tag(fixture, "p", 0, wire::Map{});
  CHECK(tags_of(fixture, "p") == R"({"b":{}})");
}

TEST_CASE("clear: a kept tag does not keep the message that it came in") {
  ControllerFixture fixture;
  fixture.register_keys("p", {"a"});
  wire::Frames frames;
  {
    auto [data, bytes] = wire::Slice::allocate(4);
    std::memcpy(bytes, "\1\2\3\4", 4);
    const wire::Tensor tensor{wire::DType::uint8, {4}, std::move(data)};
    frames = wire::pack_request("client", std::nullopt,
                                wire::SetCustomMeta{{{"p", {{0, wire::Map{{"t", tensor}}}}}}});
  }
  REQUIRE(frames.size() == 2);
  const std::weak_ptr<const void> alive = frames.at(1).owner;
  CHECK(fixture.ask(frames).at("request_type") == wire::SetCustomMetaResponse::kType);
  frames.clear();
  CHECK(alive.expired());
  CHECK(tags_of(fixture, "p").find(R"("data":"AQIDBA==")") != std::string::npos);
}

TEST_CASE("clear: passes over what is not there") {
  ControllerFixture fixture;
  fixture.register_keys("p", {"a", "b"});
  fixture.register_keys("q", {"x"});
  fixture.body_of<wire::ClearMetaResponse>(
      wire::ClearMeta{{2, 0, 0, 99, int64_t{1} << 39, 1}, {"p", "p", "p", "p", "p", "nowhere"}});
  CHECK(tags_of(fixture, "p") == R"({"b":{}})");
  CHECK(tags_of(fixture, "q") == R"({"x":{}})");
  fixture.body_of<wire::MarkClearingResponse>(wire::MarkClearing{{99, 0}, {"p", "nowhere"}});
  fixture.body_of<wire::ClearPartitionResponse>(wire::ClearPartition{"nowhere"});
  CHECK(fixture.register_keys("q", {"y", "z"}) == Indexes{0, 3});
}

TEST_CASE("clear: a field without samples loses its metadata, but stays registered") {
  ControllerFixture fixture;
  fixture.insert("p", 2);
  fixture.produce("p", {0}, {"gone"});
  fixture.produce("p", {1}, {"stays"});
  fixture.clear("p", {0});
  const Json batch = fixture.batch_of<wire::GetPartitionMetaResponse>(wire::GetPartitionMeta{"p"});
  CHECK(batch.at("field_schema").size() == 1);
  CHECK(batch.at("field_schema").contains("stays"));
  const Json production = fixture.body_of<wire::ProductionResponse>(
      wire::GetProduction{"p", wire::Names{"stays", "gone"}});
  CHECK(numbers_of(production.at("production_status")) == Indexes{0, 1});
}

TEST_CASE("rest: a freed index is not handed out before its time") {
  controller::ControllerConfig config = ControllerFixture::no_rest();
  config.index_rest_s = 30;
  config.pre_alloc_samples = 0;
  ControllerFixture fixture(config);
  fixture.insert("p", 3);
  fixture.clear("p", {1});
  fixture.advance(20);
  CHECK(fixture.insert("p", 1) == Indexes{3});
  fixture.body_of<wire::ClearPartitionResponse>(wire::ClearPartition{"p"});
  fixture.advance(10);
  CHECK(fixture.insert("q", 2) == Indexes{1, 4});
  fixture.advance(20);
  CHECK(fixture.insert("q", 4) == Indexes{0, 2, 3, 5});
}

}  // namespace
}  // namespace tq::test
