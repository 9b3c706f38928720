// SPDX-License-Identifier: Apache-2.0
// A fetch that says how long it may wait (x_tq.wait_ms): when it is answered, in which order, what
// it consumes, and what is refused.
#include "actors/controller_fixture.h"

namespace tq::test {
namespace {

using Indexes = std::vector<int64_t>;

// GET_META in mode fetch of field "f" for task "task".
wire::Frames fetch_waiting(const wire::Value& wait_ms, int64_t batch_size,
                           const wire::Map& more = {}) {
  wire::Map extension = {{"version", 1}, {"request_id", "0badcafe"}, {"wait_ms", wait_ms}};
  extension.insert(extension.end(), more.begin(), more.end());
  return ControllerFixture::frames_of("GET_META", wire::Map{{"data_fields", wire::Array{"f"}},
                                                            {"batch_size", batch_size},
                                                            {"partition_id", "p"},
                                                            {"task_name", "task"},
                                                            {"x_tq", extension}});
}

Indexes batch_of(const Json& reply) {
  INFO(reply.dump());
  REQUIRE(reply.at("request_type") == wire::GetMetaResponse::kType);
  return reply.at("body").at("metadata").at("$batchmeta").at("global_indexes").get<Indexes>();
}

controller::ControllerConfig config(bool polling) {
  controller::ControllerConfig config = ControllerFixture::no_rest();
  config.polling_mode = polling;
  return config;
}

TEST_CASE("wait: its own time counts, whatever the controller's mode and patience") {
  ControllerFixture fixture(config(GENERATE(false, true)));
  fixture.insert("p", 3);
  fixture.produce("p", {0});
  ControllerFixture::Waiting waiting = fixture.wait(fetch_waiting(60'000, 2));
  CHECK(waiting.wait.topic == "p");
  CHECK(waiting.wait.deadline == fixture.now + std::chrono::seconds(60));
  fixture.advance(59);
  CHECK(std::holds_alternative<runtime::Wait>(fixture.offer(waiting)));
  fixture.produce("p", {2});
  CHECK(batch_of(fixture.decoded(fixture.offer(waiting))) == Indexes{0, 2});
  CHECK(fixture.consumption("p") == std::vector<int>{1, 0, 1});
}

TEST_CASE("wait: at its end there is an empty batch, and nothing is consumed") {
  ControllerFixture fixture(config(GENERATE(false, true)));
  fixture.insert("p", 2);
  fixture.produce("p", {0});
  ControllerFixture::Waiting waiting = fixture.wait(fetch_waiting(1000, 2));
  fixture.advance(1);
  const Json reply = fixture.decoded(fixture.offer(waiting));
  CHECK(batch_of(reply).empty());
  CHECK(reply.at("body").at("x_tq").at("request_id") == "0badcafe");
  CHECK(fixture.consumption("p") == std::vector<int>{0, 0});
}

TEST_CASE("wait: none asks what is ready now") {
  ControllerFixture fixture(config(GENERATE(false, true)));
  CHECK(batch_of(fixture.ask(fetch_waiting(0, 1))).empty());  // no such partition
  fixture.insert("p", 2);
  fixture.produce("p", {1});
  CHECK(batch_of(fixture.ask(fetch_waiting(0, 2))).empty());
  CHECK(batch_of(fixture.ask(fetch_waiting(0, 1))) == Indexes{1});
}

TEST_CASE("wait: nil is none given") {
  ControllerFixture fixture;
  const ControllerFixture::Waiting waiting = fixture.wait(fetch_waiting({}, 1));
  CHECK(waiting.wait.deadline == fixture.now + std::chrono::seconds(5));  // upstream's interval
}

TEST_CASE("wait: first come first served; who can be served passes who cannot") {
  ControllerFixture fixture;
  fixture.insert("p", 6);
  ControllerFixture::Waiting large = fixture.wait(fetch_waiting(9000, 4));
  ControllerFixture::Waiting first = fixture.wait(fetch_waiting(9000, 2));
  ControllerFixture::Waiting second = fixture.wait(fetch_waiting(9000, 2));
  fixture.produce("p", {0, 1, 2});
  CHECK(std::holds_alternative<runtime::Wait>(fixture.offer(large)));
  CHECK(batch_of(fixture.decoded(fixture.offer(first))) == Indexes{0, 1});
  CHECK(std::holds_alternative<runtime::Wait>(fixture.offer(second)));
}

TEST_CASE("wait: what was handed out to a waiter that is gone is given back") {
  ControllerFixture fixture;
  fixture.insert("p", 1);
  ControllerFixture::Waiting waiting = fixture.wait(fetch_waiting(9000, 1));
  fixture.produce("p", {0});
  runtime::Outcome outcome = fixture.offer(waiting);
  CHECK(fixture.consumption("p") == std::vector<int>{1});
  fixture.controller.take_changed_topics();
  std::get<runtime::Reply>(outcome).undo();
  CHECK(fixture.consumption("p") == std::vector<int>{0});
  CHECK(fixture.controller.take_changed_topics() == std::vector<std::string>{"p"});
}

TEST_CASE("wait: a sampler that finds no whole batch among enough samples goes on waiting") {
  ControllerFixture fixture;
  fixture.insert("p", 6);
  fixture.produce("p", {0, 2, 4, 5});  // four ready, but no three in a row
  const wire::Map three = {{"sampler", "GRPOGroupNSampler"},
                           {"sampler_arguments", wire::Map{{"n_samples_per_prompt", 3}}}};
  ControllerFixture::Waiting waiting = fixture.wait(fetch_waiting(9000, 3, three));
  fixture.produce("p", {3});
  CHECK(batch_of(fixture.decoded(fixture.offer(waiting))) == Indexes{2, 3, 4});
}

TEST_CASE("wait: what cannot be meant is an error that names it, and changes nothing") {
  ControllerFixture fixture;
  fixture.insert("p", 1);
  fixture.produce("p", {0});
  const auto [wait_ms, sentence] = GENERATE(table<wire::Value, std::string>(
      {{wire::Value(-1), "ValueError: body.x_tq.wait_ms is -1; it must not be negative"},
       {wire::Value(3'600'001), "ValueError: body.x_tq.wait_ms is 3600001; the limit is 3600000"},
       {wire::Value(INT64_MIN), "ValueError: body.x_tq.wait_ms is -9223372036854775808; it"},
       {wire::Value(INT64_MAX), "ValueError: body.x_tq.wait_ms is 9223372036854775807; the limit"},
       {wire::Value(UINT64_MAX), "TypeError: body.x_tq.wait_ms must be an int of 64 bits"},
       {wire::Value(0.5), "TypeError: body.x_tq.wait_ms must be an int of 64 bits, got float"},
       {wire::Value("1"), "TypeError: body.x_tq.wait_ms must be an int of 64 bits, got str"},
       {wire::Value(true), "TypeError: body.x_tq.wait_ms must be an int of 64 bits, got bool"}}));
  const std::string message = fixture.error_of(fetch_waiting(wait_ms, 1));
  INFO(message);
  CHECK(message.starts_with("GET_META failed: " + sentence));
  CHECK(fixture.consumption("p") == std::vector<int>{0});
}

}  // namespace
}  // namespace tq::test
