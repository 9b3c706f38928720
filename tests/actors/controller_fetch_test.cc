// SPDX-License-Identifier: Apache-2.0
// Fetches: which samples, who waits, what is given back. The choice is upstream's
// (SequentialSampler and scan_data_status of 0.1.11); the waiting is ours, by the rules of
// docs/protocol.md.
#include "actors/controller_fixture.h"

namespace tq::test {
namespace {

using Indexes = std::vector<int64_t>;

Indexes indexes_of(const Json& reply) {
  INFO(reply.dump());
  REQUIRE(reply.at("request_type") == wire::GetMetaResponse::kType);
  return reply.at("body").at("metadata").at("$batchmeta").at("global_indexes");
}

std::string timeout_of(const Json& reply) {
  INFO(reply.dump());
  REQUIRE(reply.at("request_type") == wire::RequestError::kType);
  return reply.at("body").at("message");
}

TEST_CASE("fetch: without fields, one that waits gets samples as soon as they are registered") {
  ControllerFixture f;
  f.insert("p", 1);
  auto waiting = f.wait(f.fetch_of("p", 3, {}));
  f.controller.take_changed_topics();
  f.insert("p", 2);
  CHECK(f.controller.take_changed_topics() == std::vector<std::string>{"p"});
  CHECK(f.decoded(f.offer(waiting)).at("body").at("metadata").at("$batchmeta").at("_size") == 3);
}

TEST_CASE("fetch: the first ready samples, each once a task") {
  ControllerFixture fixture;
  fixture.insert("p", 6);
  fixture.produce("p", {5, 1, 3, 4});
  CHECK(fixture.fetch("p", 3) == Indexes{1, 3, 4});
  CHECK(fixture.fetch("p", 2, {"f"}, "other") == Indexes{1, 3});
  CHECK(fixture.fetch("p", 1) == Indexes{5});
  CHECK(fixture.consumption("p") == std::vector<int>{0, 1, 0, 1, 1, 1});
  CHECK(fixture.consumption("p", "other") == std::vector<int>{0, 1, 0, 1, 0, 0});
}

TEST_CASE("fetch: a sample is ready when all its fields are") {
  ControllerFixture fixture;
  fixture.insert("p", 4);
  fixture.produce("p", {0, 1, 2}, {"prompt"});
  fixture.produce("p", {1, 2, 3}, {"reward"});
  const Json batch = fixture.batch_of<wire::GetMetaResponse>(
      fixture.fetch_of("p", 2, {"reward", "prompt", "reward"}));
  CHECK(batch.at("global_indexes").get<Indexes>() == Indexes{1, 2});
  CHECK(batch.at("_is_ready") == true);
  CHECK(batch.at("field_schema").begin().key() == "reward");  // in the order of the request
  CHECK(batch.at("field_schema").size() == 2);
}

TEST_CASE("fetch: samples marked for clearing are not handed out") {
  ControllerFixture fixture;
  fixture.insert("p", 3);
  fixture.produce("p", {0, 1, 2});
  fixture.body_of<wire::MarkClearingResponse>(wire::MarkClearing{{0, 1}, {"p", "p"}});
  CHECK(fixture.fetch("p", 1) == Indexes{2});
}

// Upstream takes every row up to the largest index for ready, other partitions' rows among them.
TEST_CASE("fetch: with no field, the registered samples of the partition (we differ)") {
  ControllerFixture fixture;
  fixture.insert("other", 2);
  fixture.insert("p", 2);
  CHECK(fixture.fetch("p", 2, {}) == Indexes{2, 3});
}

TEST_CASE("fetch: waits for data and is answered when it is there") {
  ControllerFixture fixture;
  fixture.insert("p", 3);
  auto waiting = fixture.wait(fixture.fetch_of("p", 2));
  CHECK(waiting.wait.topic == "p");
  fixture.controller.take_changed_topics();

  fixture.produce("p", {0});
  CHECK(fixture.controller.take_changed_topics() == std::vector<std::string>{"p"});
  CHECK(fixture.controller.take_changed_topics().empty());
  REQUIRE(std::holds_alternative<runtime::Wait>(fixture.offer(waiting)));
  CHECK(fixture.consumption("p") == std::vector<int>{0, 0, 0});

  fixture.produce("p", {2});
  CHECK(indexes_of(fixture.decoded(fixture.offer(waiting))) == Indexes{0, 2});
}

TEST_CASE("fetch: waits for a partition, a field and a task that are not there yet") {
  ControllerFixture fixture;
  auto waiting = fixture.wait(fixture.fetch_of("later", 1, {"a", "b"}));
  CHECK(fixture.ask(wire::GetListPartitions{}).at("body").at("partition_ids").empty());
  fixture.register_keys("later", {"k"});
  REQUIRE(std::holds_alternative<runtime::Wait>(fixture.offer(waiting)));
  fixture.produce("later", {0}, {"b"});
  REQUIRE(std::holds_alternative<runtime::Wait>(fixture.offer(waiting)));
  fixture.produce("later", {0}, {"a"});
  CHECK(fixture.controller.take_changed_topics() == std::vector<std::string>{"later"});
  CHECK(indexes_of(fixture.decoded(fixture.offer(waiting))) == Indexes{0});
}

TEST_CASE("fetch: who waits first is served first, and who wants too much delays nobody") {
  ControllerFixture fixture;
  fixture.insert("p", 4);
  auto large = fixture.wait(fixture.fetch_of("p", 50));
  auto first = fixture.wait(fixture.fetch_of("p", 2));
  auto second = fixture.wait(fixture.fetch_of("p", 2));
  fixture.produce("p", {3, 2, 1, 0});
  // The event loop offers them in order of arrival.
  REQUIRE(std::holds_alternative<runtime::Wait>(fixture.offer(large)));
  CHECK(indexes_of(fixture.decoded(fixture.offer(first))) == Indexes{0, 1});
  CHECK(indexes_of(fixture.decoded(fixture.offer(second))) == Indexes{2, 3});
}

TEST_CASE("fetch: the deadline is the larger of interval and timeout after the arrival") {
  const auto [timeout, interval] = GENERATE(std::pair(1.0, 5.0), std::pair(5.0, 1.0));
  controller::ControllerConfig config = ControllerFixture::no_rest();
  config.get_metadata_timeout_s = timeout;
  config.check_interval_s = interval;
  ControllerFixture fixture(config);
  fixture.insert("p", 3);
  fixture.produce("p", {0, 1});
  auto waiting = fixture.wait(fixture.fetch_of("p", 3, {"f"}, "train_task"));
  CHECK(waiting.wait.deadline == fixture.now + std::chrono::seconds(5));

  fixture.advance(4.999);
  REQUIRE(std::holds_alternative<runtime::Wait>(fixture.offer(waiting)));
  fixture.advance(0.001);
  const std::string message = timeout_of(fixture.decoded(fixture.offer(waiting)));
  CHECK(message.starts_with("GET_META failed: TimeoutError: "));  // the form of Python's message
  CHECK(message.find("task 'train_task'") != std::string::npos);
  CHECK(message.find("partition 'p'") != std::string::npos);
  CHECK(message.find("required 3") != std::string::npos);
  CHECK(message.find("available 2") != std::string::npos);
  CHECK(fixture.consumption("p", "train_task") == std::vector<int>{0, 0, 0});
}

TEST_CASE("fetch: data that is there at the deadline is handed out, not an error") {
  ControllerFixture fixture;
  fixture.insert("p", 1);
  auto waiting = fixture.wait(fixture.fetch_of("p", 1));
  fixture.produce("p", {0});
  fixture.now = waiting.wait.deadline;
  CHECK(indexes_of(fixture.decoded(fixture.offer(waiting))) == Indexes{0});
}

TEST_CASE("fetch: without patience an error comes at once") {
  controller::ControllerConfig config = ControllerFixture::no_rest();
  config.get_metadata_timeout_s = config.check_interval_s = 0;
  ControllerFixture fixture(config);
  CHECK(fixture.error_of(fixture.fetch_of("nowhere", 1)).find("available 0") != std::string::npos);
}

TEST_CASE("fetch: what lets a waiting fetch go on is reported") {
  ControllerFixture fixture;
  fixture.insert("p", 2);
  fixture.produce("p", {0});
  const auto changed = [&] { return fixture.controller.take_changed_topics(); };
  const std::vector<std::string> only_p = {"p"};
  CHECK(changed() == only_p);
  fixture.fetch("p", 1);
  CHECK(changed().empty());
  fixture.body_of<wire::ResetConsumptionResponse>(wire::ResetConsumption{"p", std::nullopt});
  CHECK(changed() == only_p);
  fixture.clear("p", {0});
  CHECK(changed() == only_p);
  fixture.body_of<wire::ClearPartitionResponse>(wire::ClearPartition{"p"});
  CHECK(changed() == only_p);
}

// ---- a reply that does not reach its peer ----
TEST_CASE("fetch: a peer that is gone has consumed nothing") {
  ControllerFixture fixture;
  fixture.insert("p", 4);
  fixture.produce("p", {0, 1, 2, 3});
  auto reply =
      std::get<runtime::Reply>(fixture.outcome(fixture.request_of(fixture.fetch_of("p", 2))));
  fixture.fetch("p", 1);
  fixture.controller.take_changed_topics();
  REQUIRE(reply.undo);
  reply.undo();
  CHECK(fixture.consumption("p") == std::vector<int>{0, 0, 1, 0});
  CHECK(fixture.controller.take_changed_topics() == std::vector<std::string>{"p"});
  reply.undo();
  CHECK(fixture.controller.take_changed_topics().empty());
  CHECK(fixture.fetch("p", 3) == Indexes{0, 1, 3});
}

TEST_CASE("fetch: what was cleared or reset since is not given back") {
  ControllerFixture fixture;
  fixture.insert("p", 3);
  fixture.produce("p", {0, 1, 2});
  auto reply =
      std::get<runtime::Reply>(fixture.outcome(fixture.request_of(fixture.fetch_of("p", 2))));
  SECTION("a sample cleared, and its index another one's that is consumed too") {
    fixture.clear("p", {0});
    CHECK(fixture.insert("p", 1) == Indexes{0});
    fixture.produce("p", {0});
    CHECK(fixture.fetch("p", 1) == Indexes{0});
    reply.undo();
    CHECK(fixture.consumption("p") == std::vector<int>{1, 0, 0});
  }
  SECTION("the task reset, and its samples consumed by another fetch") {
    fixture.body_of<wire::ResetConsumptionResponse>(wire::ResetConsumption{"p", "task"});
    CHECK(fixture.fetch("p", 2) == Indexes{0, 1});
    reply.undo();
    CHECK(fixture.consumption("p") == std::vector<int>{1, 1, 0});
  }
  SECTION("the partition cleared, and another one of its name") {
    fixture.body_of<wire::ClearPartitionResponse>(wire::ClearPartition{"p"});
    fixture.insert("p", 3);
    fixture.produce("p", {0, 1, 2});
    CHECK(fixture.fetch("p", 3) == Indexes{0, 1, 2});
    reply.undo();
    CHECK(fixture.consumption("p") == std::vector<int>{1, 1, 1});
  }
  SECTION("the partition gone") {
    fixture.body_of<wire::ClearPartitionResponse>(wire::ClearPartition{"p"});
    reply.undo();
    CHECK(
        fixture.body_of<wire::ConsumptionResponse>(wire::GetConsumption{"p", "task", std::nullopt})
            .at("global_index")
            .is_null());
  }
}

// ---- consumption and production ----
TEST_CASE("status: a reset is of one task or of all") {
  ControllerFixture fixture;
  fixture.insert("p", 2);
  fixture.produce("p", {0, 1});
  for (const std::string task : {"a", "b"}) fixture.fetch("p", 2, {"f"}, task);
  fixture.body_of<wire::ResetConsumptionResponse>(wire::ResetConsumption{"p", "a"});
  CHECK(fixture.consumption("p", "a") == std::vector<int>{0, 0});
  CHECK(fixture.consumption("p", "b") == std::vector<int>{1, 1});
  fixture.body_of<wire::ResetConsumptionResponse>(wire::ResetConsumption{"p", std::nullopt});
  CHECK(fixture.consumption("p", "b") == std::vector<int>{0, 0});
}

TEST_CASE("status: the deprecated filter chooses positions of the status, not of the indexes") {
  ControllerFixture fixture;
  fixture.insert("p", 4);
  fixture.produce("p", {2, 3});
  fixture.fetch("p", 1);
  const Json body = fixture.body_of<wire::ConsumptionResponse>(
      wire::GetConsumption{"p", "task", Indexes{2, 0, 2}});
  CHECK(numbers_of(body.at("global_index")) == Indexes{0, 1, 2, 3});
  CHECK(numbers_of(body.at("consumption_status")) == Indexes{1, 0, 1});
  CHECK(
      fixture.error_of(wire::GetConsumption{"p", "task", Indexes{4}}).find("body.sample_filter") !=
      std::string::npos);
}

TEST_CASE("status: production by field, in order of registration, each field once") {
  ControllerFixture fixture;
  fixture.insert("p", 3);
  fixture.produce("p", {0}, {"z", "a"});
  fixture.produce("p", {2}, {"a", "m"});
  const auto ask = [&](std::optional<wire::Names> fields) {
    return fixture.body_of<wire::ProductionResponse>(wire::GetProduction{"p", std::move(fields)});
  };
  const Json body = ask(wire::Names{"m", "z", "m"});
  CHECK(numbers_of(body.at("global_index")) == Indexes{0, 1, 2});
  CHECK(body.at("production_status").at("$tensor").at("shape") == Json::array({3, 2}));
  CHECK(numbers_of(body.at("production_status")) == Indexes{1, 0, 0, 0, 0, 1});
  for (const auto& none : {std::optional<wire::Names>(), std::optional(wire::Names{}),
                           std::optional(wire::Names{"a", "unknown"})}) {
    CHECK(ask(none).at("global_index").is_null());
    CHECK(ask(none).at("production_status").is_null());
  }
}

}  // namespace
}  // namespace tq::test
