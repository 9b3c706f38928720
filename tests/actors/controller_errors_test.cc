// SPDX-License-Identifier: Apache-2.0
// Requests that cannot be served: a reply that names what is wrong, and nothing changed.
#include "actors/controller_fixture.h"

namespace tq::test {
namespace {

using wire::Array;
using wire::Map;
using wire::Value;

struct Wrong {
  std::string type;
  Value body;
  std::string named;  // what the message must name
};

Map with(Map body, std::string_view key, Value value) {
  for (auto& [name, old] : body) {
    if (*name.get_if<std::string>() == key) {
      old = std::move(value);
      return body;
    }
  }
  body.emplace_back(key, std::move(value));
  return body;
}

Map without(Map body, std::string_view key) {
  std::erase_if(body,
                [&](const auto& e) { return *e.first.template get_if<std::string>() == key; });
  return body;
}

const Map kFetch = {{"data_fields", Array{"f"}}, {"batch_size", 1},
                    {"partition_id", "p"},       {"mode", "fetch"},
                    {"task_name", "task"},       {"sampling_config", Value()}};
const Map kKeys = {{"keys", Array{"a"}}, {"partition_id", "p"}, {"create", true}};
const Map kClear = {{"global_indexes", Array{0}}, {"partition_ids", Array{"p"}}};

std::vector<Wrong> wrong_fetches() {
  const Value insert = "insert";
  return {
      {"GET_META", Value(), "body"},
      {"GET_META", "text", "body"},
      {"GET_META", without(kFetch, "data_fields"), "'data_fields'"},
      {"GET_META", without(kFetch, "batch_size"), "'batch_size'"},
      {"GET_META", without(kFetch, "partition_id"), "'partition_id'"},
      {"GET_META", without(kFetch, "task_name"), "body.task_name"},
      {"GET_META", with(kFetch, "data_fields", Value()), "body.data_fields"},
      {"GET_META", with(kFetch, "data_fields", Array{"f", 1}), "body.data_fields[1]"},
      {"GET_META", with(kFetch, "batch_size", Value()), "body.batch_size"},
      {"GET_META", with(kFetch, "batch_size", 0), "body.batch_size"},
      {"GET_META", with(kFetch, "batch_size", -3), "body.batch_size"},
      {"GET_META", with(kFetch, "batch_size", "two"), "body.batch_size"},
      {"GET_META", with(kFetch, "batch_size", int64_t{1} << 40), "body.batch_size"},
      {"GET_META", with(kFetch, "mode", "nosuch"), "'nosuch'"},
      {"GET_META", with(kFetch, "mode", Value()), "body.mode"},
      {"GET_META", with(kFetch, "sampling_config", 5), "body.sampling_config"},
      {"GET_META", with(kFetch, "sampling_config", Map{{1, 1}}), "body.sampling_config"},
      {"GET_META", with(kFetch, "sampling_config", Map{{"partition", 1}}), "partition"},
      {"GET_META", with(with(kFetch, "mode", insert), "batch_size", -1), "body.batch_size"},
      {"GET_META", with(with(kFetch, "mode", insert), "batch_size", -1), "body.batch_size"},
      {"GET_META", with(with(kFetch, "mode", insert), "batch_size", int64_t{1} << 40), "limit"},
      {"GET_META", with(with(kFetch, "mode", insert), "data_fields", Value()), "body.data_fields"},
      {"GET_META", with(with(kFetch, "mode", "force_fetch"), "partition_id", "no"), "'no'"},
  };
}

std::vector<Wrong> wrong_others() {
  const Map p = {{"partition_id", "p"}};
  return {
      {"KV_RETRIEVE_META", Map{}, "'keys'"},  // recorded: KeyError: 'keys'
      {"KV_RETRIEVE_META", without(kKeys, "create"), "'create'"},
      {"KV_RETRIEVE_META", with(kKeys, "keys", Array{"b", Value()}), "body.keys[1]"},
      {"KV_RETRIEVE_META", with(kKeys, "partition_id", 7), "body.partition_id"},
      {"KV_RETRIEVE_META", with(kKeys, "create", "yes"), "body.create"},
      {"KV_RETRIEVE_KEYS", p, "'global_indexes'"},
      {"KV_RETRIEVE_KEYS", with(p, "global_indexes", Array{"a"}), "body.global_indexes[0]"},
      {"KV_LIST", Map{}, "'partition_id'"},
      {"KV_LIST", with(p, "partition_id", 1), "body.partition_id"},
      {"GET_PARTITION_META", Map{}, "'partition_id'"},
      {"GET_CONSUMPTION", p, "'task_name'"},
      {"GET_CONSUMPTION", with(p, "task_name", Value()), "body.task_name"},
      {"GET_PRODUCTION", p, "'data_fields'"},
      {"RESET_CONSUMPTION", Map{}, "'partition_id'"},
      {"CLEAR_PARTITION", Map{}, "'partition_id'"},
      {"CLEAR_META", with(kClear, "global_indexes", Value()), "body.global_indexes"},
      {"CLEAR_META", with(kClear, "global_indexes", Array{0, 1}), "body.partition_ids"},
      {"CLEAR_META", with(kClear, "global_indexes", Array{-1}), "body.global_indexes[0]"},
      {"MARK_CLEARING", with(kClear, "partition_ids", Array{}), "body.partition_ids"},
      {"MARK_CLEARING", without(kClear, "partition_ids"), "'partition_ids'"},
      {"SET_CUSTOM_META", Map{}, "'partition_custom_meta'"},
      {"SET_CUSTOM_META", Map{{"partition_custom_meta", Array{}}}, "body.partition_custom_meta"},
      {"SET_CUSTOM_META",
       Map{{"partition_custom_meta", Map{{"p", Map{{0, Map{{"x", 1}}}, {1, 5}}}}}},
       "body.partition_custom_meta.p of index 1"},
      {"SAVE_CONTROLLER_CHECKPOINT", Map{{"path", "/tmp/x"}}, "NotImplementedError"},
      {"LOAD_CONTROLLER_CHECKPOINT", Map{{"path", "/tmp/x"}}, "NotImplementedError"},
  };
}

/// All that clients can see.
std::string visible(ControllerFixture& fixture) {
  std::string text = fixture.ask(wire::GetListPartitions{}).at("body").dump();
  text += fixture.ask(wire::KvList{std::nullopt}).at("body").dump();
  text += fixture.ask(wire::GetPartitionMeta{"p"}).at("body").dump();
  text += fixture.ask(wire::GetConsumption{"p", "task", std::nullopt}).at("body").dump();
  return text;
}

TEST_CASE(
    "errors: a wrong request gets a REQUEST_ERROR that names the field, and changes nothing") {
  ControllerFixture fixture;
  fixture.register_keys("p", {"k", "l"});
  fixture.produce("p", {0, 1});
  fixture.fetch("p", 1);
  fixture.controller.take_changed_topics();
  const std::string before = visible(fixture);
  std::vector<Wrong> all = wrong_fetches();
  for (Wrong& wrong : wrong_others()) all.push_back(std::move(wrong));
  for (const Wrong& wrong : all) {
    INFO(wrong.type << " " << canonical(wrong.body).dump());
    const Json reply = fixture.ask(fixture.frames_of(wrong.type, wrong.body));
    CHECK(reply.at("request_type") == "REQUEST_ERROR");
    CHECK(reply.at("body").at("success") == false);
    CHECK(reply.at("receiver_id") == "client");
    const std::string message = reply.at("body").at("message");
    INFO(message);
    CHECK(message.starts_with(wrong.type + " failed: "));
    CHECK(message.find(wrong.named) != std::string::npos);
    CHECK(visible(fixture) == before);
    CHECK(fixture.controller.take_changed_topics().empty());
  }
}

TEST_CASE("errors: the exception is named as in Python") {
  ControllerFixture fixture;
  const auto error = [&](const std::string& type, Map body) {
    return fixture.ask(fixture.frames_of(type, std::move(body)))
        .at("body")
        .at("message")
        .get<std::string>();
  };
  CHECK(error("KV_RETRIEVE_META", {}).starts_with("KV_RETRIEVE_META failed: KeyError: 'keys'"));
  CHECK(error("GET_META", with(kFetch, "batch_size", Value()))
            .starts_with("GET_META failed: ValueError: "));
  CHECK(error("CLEAR_META", with(kClear, "partition_ids", Array{}))
            .starts_with("CLEAR_META failed: ValueError: "));
  CHECK(error("KV_RETRIEVE_META", with(kKeys, "keys", 3))
            .starts_with("KV_RETRIEVE_META failed: TypeError: "));
}

TEST_CASE("errors: a type that no controller serves is named") {
  ControllerFixture fixture;
  for (const std::string type : {"PUT", "GET_METRICS", "GET_META_RESPONSE", "NOSUCH", ""}) {
    const Json reply = fixture.ask(fixture.frames_of(type, Map{}));
    CHECK(reply.at("request_type") == "REQUEST_ERROR");
    CHECK(reply.at("body").at("message").get<std::string>().ends_with("type '" + type + "'"));
  }
}

TEST_CASE("errors: what is no message gets a REQUEST_ERROR to nobody in particular") {
  ControllerFixture fixture;
  const Json reply = fixture.decoded(
      fixture.controller.undecodable(Error(ErrorCode::kDecode, "frame 0 is empty")));
  CHECK(reply.at("request_type") == "REQUEST_ERROR");
  CHECK(reply.at("receiver_id").is_null());
  CHECK(reply.at("sender_id") == fixture.controller.id());
  CHECK(reply.at("body").at("success") == false);
  CHECK(reply.at("body").at("message").get<std::string>().find("frame 0 is empty") !=
        std::string::npos);
}

TEST_CASE("errors: a reset that names its partition fails in the body") {
  ControllerFixture fixture;
  const Json reply = fixture.ask(
      fixture.frames_of("RESET_CONSUMPTION", Map{{"partition_id", "p"}, {"task_name", 7}}));
  CHECK(reply.at("request_type") == "RESET_CONSUMPTION_RESPONSE");
  CHECK(reply.at("body").at("partition_id") == "p");
  CHECK(reply.at("body").at("success") == false);
  CHECK(reply.at("body").at("message").get<std::string>().find("body.task_name") !=
        std::string::npos);
}

TEST_CASE("limits: partitions, tasks, fields and names are bounded, and all else goes on") {
  controller::ControllerConfig config = ControllerFixture::no_rest();
  config.limits.partitions_max = 2;
  config.limits.tasks_max = 1;
  config.limits.fields_max = 3;
  config.limits.rows_max = 100;
  config.limits.name_bytes_max = 20;
  config.limits.global_index_max = 10;
  ControllerFixture fixture(config);
  fixture.insert("p", 2);
  fixture.insert("q", 2);
  const auto is_limit = [](const std::string& message) {
    INFO(message);
    return message.find("limit") != std::string::npos;
  };
  CHECK(is_limit(fixture.error_of(wire::KvRetrieveMeta{{"a"}, "r", true})));
  fixture.consumption("p", "one");
  CHECK(is_limit(fixture.error_of(wire::GetConsumption{"p", "two", std::nullopt})));
  CHECK(is_limit(fixture.error_of(fixture.fetch_of("p", 1, {"f"}, "two"))));
  CHECK(is_limit(fixture.error_of(fixture.fetch_of("p", 1, {"a", "b", "c", "d"}, "one"))));
  CHECK(is_limit(fixture.error_of(fixture.fetch_of("p", 101, {"f"}, "one"))));
  CHECK(is_limit(fixture.error_of(wire::KvRetrieveMeta{{std::string(21, 'k')}, "p", true})));
  CHECK(is_limit(fixture.error_of(wire::KvRetrieveMeta{wire::Names(101, "k"), "p", true})));
  // 4 of the 11 indexes are taken.
  wire::GetMeta insert{wire::Names{"f"}, 8, "p", "insert", std::nullopt, {}};
  CHECK(is_limit(fixture.error_of(insert)));
  CHECK(fixture.insert("p", 7).size() == 7);
  CHECK(fixture.ask(wire::GetListPartitions{}).at("body").at("partition_ids").size() == 2);
}

TEST_CASE("handshake: each one is acknowledged") {
  ControllerFixture fixture;
  for (int i = 0; i < 3; ++i) {
    CHECK(fixture.body_of<wire::HandshakeAck>(wire::Handshake{}).empty());
  }
}

TEST_CASE("replies: go to the sender, and echo the extension of a request that has one") {
  ControllerFixture fixture;
  const Json plain = fixture.ask(wire::GetListPartitions{});
  CHECK(plain.at("sender_id") == fixture.controller.id());
  CHECK(plain.at("receiver_id") == "client");
  CHECK_FALSE(plain.at("body").contains("x_tq"));
  const Json extended = fixture.ask(wire::Frames(wire::pack_request(
      "client", std::nullopt, wire::KvList{std::nullopt}, wire::Extension{1, "0badcafe", ""})));
  CHECK(extended.at("body").at("x_tq").at("request_id") == "0badcafe");
}

TEST_CASE("identity: fresh for each controller, in Python's form") {
  const controller::Controller a{controller::ControllerConfig{}};
  const controller::Controller b{controller::ControllerConfig{}};
  CHECK(a.id().starts_with("TQ_CONTROLLER_"));
  CHECK(a.id().size() == std::string("TQ_CONTROLLER_").size() + 8);
  CHECK(a.id() != b.id());
}

}  // namespace
}  // namespace tq::test
