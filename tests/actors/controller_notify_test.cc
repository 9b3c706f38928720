// SPDX-License-Identifier: Apache-2.0
// NOTIFY_DATA_UPDATE: what is ready afterwards, what is refused, and that a refusal changes
// nothing.
#include "actors/controller_fixture.h"

namespace tq::test {
namespace {

using Indexes = std::vector<int64_t>;

/// All that clients can see of a partition and its keys.
std::string visible(ControllerFixture& fixture, const std::string& partition) {
  const Json meta = fixture.ask(wire::GetPartitionMeta{partition}).at("body");
  const Json list = fixture.ask(wire::KvList{partition}).at("body");
  const Json production = fixture.ask(wire::GetProduction{partition, wire::Names{"f"}}).at("body");
  return meta.dump() + list.dump() + production.dump();
}

/// The message of a refusal, which must have changed nothing.
std::string refused(ControllerFixture& fixture, const wire::NotifyDataUpdate& message) {
  fixture.controller.take_changed_topics();
  const std::string before = visible(fixture, "p");
  const Json ack = fixture.body_of<wire::NotifyDataUpdateAck>(message);
  CHECK(ack.at("success") == false);
  CHECK(ack.at("partition_id") == Json(message.partition_id.value_or("")));
  CHECK(ack.at("controller_id") == fixture.controller.id());
  CHECK(visible(fixture, "p") == before);
  CHECK(fixture.controller.take_changed_topics().empty());
  return ack.at("message");
}

bool has(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

TEST_CASE("notify: success has no message, as Python's") {
  ControllerFixture fixture;
  fixture.insert("p", 2);
  const Json ack = fixture.notify("p", {0, 1});
  CHECK(ack.dump() ==
        R"({"controller_id":"TQ_CONTROLLER_test","partition_id":"p","success":true})");
}

TEST_CASE("notify: fields without rows are registered, rows without fields change nothing") {
  ControllerFixture fixture;
  fixture.insert("p", 2);
  CHECK(fixture.notify("p", {}, {"f"}).at("success") == true);
  CHECK(fixture.notify("p", {0}, {}).at("success") == true);
  const Json production =
      fixture.body_of<wire::ProductionResponse>(wire::GetProduction{"p", wire::Names{"f"}});
  CHECK(numbers_of(production.at("production_status")) == Indexes{0, 0});
}

TEST_CASE("notify: a sample that was cleared is not brought back, nor are its companions") {
  ControllerFixture fixture;
  fixture.register_keys("p", {"a", "b", "c"});
  fixture.produce("p", {0, 1});
  fixture.clear("p", {1});
  wire::NotifyDataUpdate late{"p", {2, 1}, {{"f", fixture.dense({2})}}, {}};
  const std::string message = refused(fixture, late);
  CHECK(has(message, "NOTIFY_DATA_UPDATE failed: KeyError: "));
  CHECK(has(message, "body.global_indexes"));
  CHECK(has(message, "'p'"));
  CHECK(has(message, "[1]"));
  CHECK(fixture.fetch("p", 1) == Indexes{0});
  fixture.wait(fixture.fetch_of("p", 1));
}

TEST_CASE("notify: samples of others and indexes of nobody are refused, the first few named") {
  ControllerFixture fixture;
  fixture.insert("other", 2);
  fixture.insert("p", 1);
  CHECK(has(refused(fixture, {"p", {2, 0}, {{"f", fixture.dense({2})}}, {}}), "[0]"));
  Indexes many(2000);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<int64_t>(100 + 5000 * i);
  const std::string message = refused(fixture, {"p", many, {{"f", fixture.dense({2})}}, {}});
  CHECK(has(message, "2000"));
  CHECK(has(message, "[100, 5100, "));
  CHECK(message.size() < 400);
}

// Recorded in the vectors ("a column that changes dtype"): rows ready, success false, old schema.
TEST_CASE("notify: another dtype marks the rows as ready and then says no") {
  ControllerFixture fixture;
  fixture.insert("p", 4);
  fixture.produce("p", {0, 1});
  const Json ack = fixture.notify("p", {2}, {"f"}, "int64");
  CHECK(ack.at("success") == false);
  CHECK(has(ack.at("message"), "'f'"));
  CHECK(has(ack.at("message"), "torch.int64"));
  const Json batch = fixture.batch_of<wire::GetMetaResponse>(fixture.fetch_of("p", 3));
  CHECK(batch.at("global_indexes").get<Indexes>() == Indexes{0, 1, 2});
  CHECK(batch.at("field_schema").at("f").at("dtype") == Json{{"$dtype", "torch.float32"}});
}

// Upstream stops at the field in conflict: what follows is marked as ready, but has no metadata.
TEST_CASE("notify: the fields beside one in conflict are taken in (we differ)") {
  ControllerFixture fixture;
  fixture.insert("p", 2);
  fixture.produce("p", {0});
  CHECK(fixture.notify("p", {1}, {"before", "f", "after"}, "int64").at("success") == false);
  const Json batch =
      fixture.batch_of<wire::GetMetaResponse>(fixture.fetch_of("p", 1, {"before", "f", "after"}));
  CHECK(batch.at("field_schema").size() == 3);
  CHECK(batch.at("field_schema").at("after").at("dtype") == Json{{"$dtype", "torch.int64"}});
}

TEST_CASE("notify: a schema that does not fit together is refused before anything changed") {
  ControllerFixture fixture;
  fixture.insert("p", 3);
  fixture.produce("p", {0});
  wire::NotifyDataUpdate message{"p", {1, 2}, {{"good", fixture.dense({2})}}, {}};
  auto& bad = message.field_schema.emplace_back("bad", fixture.dense({2})).second;
  SECTION("no shape") {
    bad.shape.reset();
    CHECK(has(refused(fixture, message), "body.field_schema.bad.shape"));
  }
  SECTION("nested without shapes") {
    bad.is_nested = true;
    CHECK(has(refused(fixture, message), "body.field_schema.bad.per_sample_shapes"));
  }
  SECTION("a shape of a row that is not named") {
    bad.is_nested = true;
    bad.per_sample_shapes = {{1, {2}}, {0, {2}}};
    CHECK(has(refused(fixture, message), "body.field_schema.bad.per_sample_shapes"));
  }
  SECTION("no such partition") {
    message.partition_id = "nowhere";
    CHECK(has(refused(fixture, message), "'nowhere'"));
  }
}

TEST_CASE("notify: a body that cannot be read is refused in an ACK too") {
  ControllerFixture fixture;
  fixture.insert("p", 1);
  const auto refusal = [&](wire::Map body) {
    const Json reply = fixture.ask(fixture.frames_of("NOTIFY_DATA_UPDATE", std::move(body)));
    INFO(reply.dump());
    REQUIRE(reply.at("request_type") == "NOTIFY_DATA_UPDATE_ACK");
    CHECK(reply.at("body").at("success") == false);
    CHECK(reply.at("body").at("partition_id") == "p");
    return reply.at("body").at("message").get<std::string>();
  };
  const std::pair<wire::Value, wire::Value> partition{"partition_id", "p"};
  CHECK(has(refusal({partition, {"global_indexes", "text"}}), "body.global_indexes"));
  CHECK(has(refusal({partition, {"global_indexes", wire::Array{0, "one"}}}),
            "body.global_indexes[1]"));
  CHECK(has(refusal({partition, {"global_indexes", wire::Array{-1}}}), "body.global_indexes[0]"));
  CHECK(has(refusal({partition, {"field_schema", wire::Array{}}}), "body.field_schema"));
  CHECK(has(refusal({partition, {"custom_backend_meta", wire::Array{}}}),
            "body.custom_backend_meta"));
  const Json reply = fixture.ask(fixture.frames_of("NOTIFY_DATA_UPDATE", "no dict"));
  CHECK(reply.at("request_type") == "NOTIFY_DATA_UPDATE_ACK");
  CHECK(reply.at("body").at("partition_id").is_null());
}

TEST_CASE(
    "notify: what other backends note is merged by field and shown with the fields asked for") {
  ControllerFixture fixture;
  fixture.insert("p", 2);
  const auto note = [&](wire::Map fields) {
    wire::NotifyDataUpdate message{"p", {0, 1}, {{"f", fixture.dense({2})}}, {}};
    message.field_schema.emplace_back("g", fixture.dense({2}));
    message.custom_backend_meta = wire::Map{{0, std::move(fields)}};
    CHECK(fixture.body_of<wire::NotifyDataUpdateAck>(message).at("success") == true);
  };
  note({{"f", "first"}, {"g", wire::Map{{"at", 1}}}});
  note({{"f", "second"}});
  const auto shown = [&](wire::Names fields) {
    const Json batch = fixture.batch_of<wire::GetMetaResponse>(
        wire::GetMeta{std::move(fields), std::nullopt, "p", "force_fetch", std::nullopt, {}});
    return batch.at("_custom_backend_meta").dump();
  };
  CHECK(shown({"f", "g"}) == R"([{"f":"second","g":{"at":1}},{}])");
  CHECK(shown({"f"}) == R"([{"f":"second"},{}])");
  fixture.clear("p", {0});
  fixture.insert("p", 1);
  CHECK(shown({"f"}) == "[{},{}]");
}

TEST_CASE("notify: notes of backends that do not fit are refused before anything changed") {
  ControllerFixture fixture;
  fixture.insert("p", 2);
  wire::NotifyDataUpdate message{"p", {0}, {{"f", fixture.dense({2})}}, {}};
  message.custom_backend_meta = wire::Map{{7, wire::Map{{"f", 1}}}};
  CHECK(has(refused(fixture, message), "index 7"));
  message.custom_backend_meta = wire::Map{{"0", wire::Map{{"f", 1}}}};
  CHECK(has(refused(fixture, message), "body.custom_backend_meta"));
  message.custom_backend_meta = wire::Map{{0, 1}};
  CHECK(has(refused(fixture, message), "body.custom_backend_meta"));
  message.custom_backend_meta = wire::Map{{0, wire::Map{{1, 1}}}};
  CHECK(has(refused(fixture, message), "body.custom_backend_meta"));
}

TEST_CASE("notify: a partition has a bounded number of fields") {
  controller::ControllerConfig config = ControllerFixture::no_rest();
  config.limits.fields_max = 3;
  ControllerFixture fixture(config);
  fixture.insert("p", 1);
  fixture.produce("p", {0}, {"f", "g"});
  wire::NotifyDataUpdate message{"p", {0}, {{"h", fixture.dense({2})}}, {}};
  message.field_schema.emplace_back("i", fixture.dense({2}));
  CHECK(has(refused(fixture, message), "the limit is 3"));
  fixture.produce("p", {0}, {"g", "h"});
}

}  // namespace
}  // namespace tq::test
