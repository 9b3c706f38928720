// SPDX-License-Identifier: Apache-2.0
// Samples come into being: by keys, by insert, by pre-allocation. The numbers are what Python's
// controller of 0.1.11 answered to the same requests, unless a case says that we differ.
#include "actors/controller_fixture.h"

namespace tq::test {
namespace {

using Indexes = std::vector<int64_t>;

Json look_up(ControllerFixture& fixture, wire::Names keys, const std::string& partition = "p") {
  return fixture.batch_of<wire::KvRetrieveMetaResponse>(
      wire::KvRetrieveMeta{std::move(keys), partition, false});
}

Indexes partition_samples(ControllerFixture& fixture, const std::string& partition) {
  return fixture.batch_of<wire::GetPartitionMetaResponse>(wire::GetPartitionMeta{partition})
      .at("global_indexes");
}

controller::ControllerConfig pre_allocating(size_t samples) {
  controller::ControllerConfig config = ControllerFixture::no_rest();
  config.pre_alloc_samples = samples;
  return config;
}

TEST_CASE("pre-allocation: counted before it is used, used before new indexes") {
  ControllerFixture fixture(pre_allocating(3));
  CHECK(fixture.insert("p", 2) == Indexes{0, 1});
  CHECK(partition_samples(fixture, "p") == Indexes{0, 1, 2});
  CHECK(fixture.consumption("p").size() == 3);
  CHECK(fixture.register_keys("p", {"a", "b"}) == Indexes{2, 3});
  CHECK(fixture.insert("q", 5) == Indexes{4, 5, 6, 7, 8});
  CHECK(fixture.register_keys("r", {}).empty());
  CHECK(partition_samples(fixture, "r") == Indexes{9, 10, 11});
  fixture.body_of<wire::ClearMetaResponse>(wire::ClearMeta{{0, 4, 5}, {"p", "q", "q"}});
  CHECK(fixture.insert("r", 5) == Indexes{9, 10, 11, 0, 4});
}

TEST_CASE("pre-allocation: none is a setting too") {
  ControllerFixture fixture(pre_allocating(0));
  fixture.register_keys("p", {});
  CHECK(partition_samples(fixture, "p").empty());
  CHECK(fixture.insert("p", 2) == Indexes{0, 1});
}

// A client learns the index from partition metadata. Upstream takes its data and then hands the
// index out again, to be overwritten.
TEST_CASE("pre-allocation: a sample that is put is not handed out again (we differ)") {
  ControllerFixture fixture(pre_allocating(3));
  fixture.insert("p", 1);
  fixture.produce("p", {2});
  CHECK(fixture.insert("p", 2) == Indexes{1, 3});
  CHECK(fixture.fetch("p", 1) == Indexes{2});
  fixture.clear("p", {2});
  CHECK(partition_samples(fixture, "p") == Indexes{0, 1, 3});
}

TEST_CASE("pre-allocation: an unused sample cannot be cleared, but its partition can") {
  ControllerFixture fixture(pre_allocating(2));
  fixture.insert("p", 1);
  fixture.clear("p", {0, 1});
  CHECK(partition_samples(fixture, "p") == Indexes{1});
  fixture.body_of<wire::ClearPartitionResponse>(wire::ClearPartition{"p"});
  CHECK(fixture.insert("q", 3) == Indexes{0, 1, 2});
}

TEST_CASE("insert: shows what is known of a field, then the unknown ones without dtype and shape") {
  ControllerFixture fixture;
  fixture.insert("p", 2);
  fixture.produce("p", {0}, {"known"});
  const Json batch = fixture.batch_of<wire::GetMetaResponse>(
      wire::GetMeta{wire::Names{"new", "known", "new"}, 2, "p", "insert", std::nullopt, {}});
  CHECK(batch.at("global_indexes").get<Indexes>() == Indexes{2, 3});
  CHECK(numbers_of(batch.at("production_status")) == Indexes{0, 0});
  const Json& schema = batch.at("field_schema");
  REQUIRE(schema.size() == 2);
  CHECK(schema.begin().key() == "known");
  CHECK(schema.at("known").at("dtype") == Json{{"$dtype", "torch.float32"}});
  CHECK(schema.at("new").at("dtype").is_null());
  CHECK(schema.at("new").at("shape").is_null());
  CHECK(schema.at("new").at("is_nested") == false);
  CHECK(fixture.ask(wire::GetProduction{"p", wire::Names{"new"}})
            .at("body")
            .at("global_index")
            .is_null());  // an insert registers no field
}

TEST_CASE("keys: a look-up leaves out unknown keys and shows the fields that all rows share") {
  ControllerFixture fixture;
  CHECK(fixture.register_keys("p", {"a", "b", "c"}) == Indexes{0, 1, 2});
  fixture.produce("p", {0, 1}, {"x", "y"});
  fixture.produce("p", {1, 2}, {"z"});
  const auto fields = [&](wire::Names keys) {
    wire::Names names;
    const Json batch = look_up(fixture, std::move(keys));
    for (const auto& [name, schema] : batch.at("field_schema").items()) names.push_back(name);
    return names;
  };
  CHECK(fields({"a", "b"}) == wire::Names{"x", "y"});
  CHECK(fields({"b"}) == wire::Names{"x", "y", "z"});
  CHECK(fields({"a", "c"}).empty());
  CHECK(fields({"nobody"}) == wire::Names{"x", "y", "z"});  // no row: each field is shared
  const Json batch = look_up(fixture, {"c", "nobody", "b", "b"});
  CHECK(batch.at("global_indexes").get<Indexes>() == Indexes{2, 1, 1});
  CHECK(batch.at("_is_ready") == true);
  CHECK(look_up(fixture, {"a", "c"}).at("_is_ready") == false);
}

TEST_CASE("keys: a look-up creates nothing, a registration only what is missing") {
  ControllerFixture fixture;
  CHECK(look_up(fixture, {"a"}).at("_size") == 0);
  CHECK(fixture.ask(wire::GetListPartitions{}).at("body").at("partition_ids").empty());
  CHECK(fixture.register_keys("p", {"a"}) == Indexes{0});
  CHECK(fixture.register_keys("p", {"b", "a", "c"}) == Indexes{1, 0, 2});
  CHECK(fixture.register_keys("p", {"b", "a", "c"}) == Indexes{1, 0, 2});
}

TEST_CASE("keys: one key twice in a request gets two samples and stands for the later") {
  ControllerFixture fixture;
  CHECK(fixture.register_keys("p", {"k", "k"}) == Indexes{0, 1});
  CHECK(look_up(fixture, {"k"}).at("global_indexes").get<Indexes>() == Indexes{1});
  const Json keys = fixture.body_of<wire::KvRetrieveKeysResponse>(
      wire::KvRetrieveKeys{{{0, 1}}, "p", std::nullopt, std::nullopt});
  CHECK(keys.at("keys") == Json::array({"k", "k"}));
}

TEST_CASE("keys: of indexes") {
  ControllerFixture fixture;
  fixture.register_keys("p", {"a", "b"});
  const auto keys = [&](std::vector<std::optional<int64_t>> indexes, const std::string& partition) {
    return fixture
        .body_of<wire::KvRetrieveKeysResponse>(
            wire::KvRetrieveKeys{std::move(indexes), partition, std::nullopt, std::nullopt})
        .at("keys");
  };
  CHECK(keys({1, 7, 0, -1}, "p") == Json::array({"b", nullptr, "a", nullptr}));
  CHECK(keys({0}, "nowhere") == Json::array());
  CHECK(keys({0, std::nullopt}, "p") == Json::array());
}

TEST_CASE("keys: February 2026's form of the request gets today's metadata") {
  ControllerFixture fixture;
  const wire::KvRetrieveKeys request{std::nullopt, "p", wire::Names{"a", "b"}, true};
  const Json body = fixture.body_of<wire::OldKvRetrieveKeysResponse>(request);
  CHECK(body.at("metadata").at("$batchmeta").at("global_indexes").get<Indexes>() == Indexes{0, 1});
  const wire::KvRetrieveKeys look{std::nullopt, "p", wire::Names{"b", "zz"}, std::nullopt};
  const Json found = fixture.body_of<wire::OldKvRetrieveKeysResponse>(look);
  CHECK(found.at("metadata").at("$batchmeta").at("global_indexes").get<Indexes>() == Indexes{1});
}

TEST_CASE("keys: listed in order of registration, with their tags") {
  ControllerFixture fixture;
  fixture.register_keys("p", {"c", "a", "b"});
  fixture.register_keys("q", {"x"});
  fixture.clear("p", {0});
  fixture.register_keys("p", {"c"});
  fixture.body_of<wire::SetCustomMetaResponse>(
      wire::SetCustomMeta{{{"p", {{1, wire::Map{{"score", 0.5}}}, {2, wire::Map{}}}}}});
  const Json all = fixture.body_of<wire::KvListResponse>(wire::KvList{std::nullopt});
  CHECK(all.at("partition_info").dump() ==
        R"({"p":{"a":{"score":{"$float":"0.5"}},"b":{},"c":{}},"q":{"x":{}}})");
  CHECK(all.at("message") == "success");
  const Json none = fixture.body_of<wire::KvListResponse>(wire::KvList{"nowhere"});
  CHECK(none.at("partition_info") == Json::object());
  CHECK(none.at("message").get<std::string>().find("'nowhere'") != std::string::npos);
}

TEST_CASE("partitions: listed in order of creation") {
  ControllerFixture fixture;
  for (const std::string id : {"z", "a", "m"}) fixture.insert(id, 1);
  fixture.body_of<wire::ClearPartitionResponse>(wire::ClearPartition{"z"});
  fixture.insert("z", 1);
  CHECK(fixture.ask(wire::GetListPartitions{}).at("body").at("partition_ids") ==
        Json::array({"a", "m", "z"}));
}

TEST_CASE("growth: partitions grow side by side") {
  ControllerFixture fixture;
  Indexes even;
  for (int round = 0; round < 40; ++round) {
    const Indexes more = fixture.insert("even", 500);
    fixture.insert("odd", 500);
    fixture.produce("even", more);
    even.insert(even.end(), more.begin(), more.end());
  }
  CHECK(partition_samples(fixture, "even") == even);
  CHECK(fixture.fetch("even", 20'000) == even);
  CHECK(even.back() == 39'499);
  fixture.wait(fixture.fetch_of("odd", 1));
}

}  // namespace
}  // namespace tq::test
