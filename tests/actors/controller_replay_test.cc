// SPDX-License-Identifier: Apache-2.0
// Every controller request that was recorded against Python's controller, given to ours in the same
// order: the answers say the same.
#include <map>
#include <set>

#include "actors/controller_fixture.h"
#include "support/golden.h"

namespace tq::test {
namespace {

// What differs on purpose (docs/checkpoints.md): a node without a checkpoint root refuses.
const std::set<std::string> kNotServed = {"SAVE_CONTROLLER_CHECKPOINT",
                                          "LOAD_CONTROLLER_CHECKPOINT"};

// 0.1.11 is the judge, and older controllers answered otherwise: before 0.1.9 a look-up without a
// hit showed no fields.
const std::set<std::string> kJudgedOtherwise = {"0.1.6/186_request_KV_RETRIEVE_META",
                                                "0.1.8/186_request_KV_RETRIEVE_META"};

struct Exchange {
  GoldenMessage request;
  GoldenMessage response;
};

bool is_controller_request(const std::string& type) {
  bool found = false;
  wire::ControllerRequests::for_each([&]<class Message>() { found |= type == Message::kType; });
  return found;
}

// The recorder asks a controller one thing at a time, so the next reply that a controller sent is
// the answer. One KV_LIST went to a storage unit, which refused it.
std::vector<Exchange> controller_exchanges(const std::string& folder) {
  std::vector<Exchange> exchanges;
  std::optional<GoldenMessage> open;
  for (GoldenMessage& message : load_golden(folder)) {
    const std::filesystem::path parent = std::filesystem::path(message.name()).parent_path();
    if (parent != folder) continue;  // a subfolder is another recording
    const wire::Envelope envelope = ControllerFixture::decode(message.frames);
    if (message.is_request()) {
      if (is_controller_request(envelope.request_type)) open = std::move(message);
    } else if (envelope.request_type == wire::PutGetOperationError::kType) {
      open.reset();
    } else if (open && envelope.sender_id.starts_with("TQ_CONTROLLER_")) {
      exchanges.push_back({std::move(*open), std::move(message)});
      open.reset();
    }
  }
  return exchanges;
}

// The body without what is ours to say: texts for people, and the node's own name. A tag that
// Python pickled comes in a BatchMeta as a call of Python's own decoder, which only Python can
// follow (the interop tests do); here it is enough that it is there.
Json comparable(Json body) {
  if (body.contains("message")) {
    CHECK_FALSE(body.at("message").get<std::string>().empty());
    body.erase("message");
  }
  if (body.contains("controller_id")) body["controller_id"] = "controller";
  if (!body.contains("metadata") || body.at("metadata").is_null()) return body;
  for (Json& tag : body.at("metadata").at("$batchmeta").at("custom_meta")) {
    if (tag.dump().find("$npscalar") != std::string::npos || tag.contains("$object")) tag = "call";
  }
  return body;
}

void compare(const Json& ours, const Json& theirs) {
  CHECK(ours.at("request_type") == theirs.at("request_type"));
  const Json expected = comparable(theirs.at("body"));
  const Json got = comparable(ours.at("body"));
  if (!same(expected, got)) FAIL_CHECK("expected " << expected.dump(1) << "\ngot " << got.dump(1));
}

Json answer_of(ControllerFixture& fixture, const GoldenMessage& message) {
  runtime::Request request = fixture.request_of(message.frames);
  runtime::Outcome outcome = fixture.controller.handle(request, fixture.now);
  if (const auto* wait = std::get_if<runtime::Wait>(&outcome)) {
    fixture.now = wait->deadline;
    outcome = fixture.controller.handle(request, fixture.now);
  }
  return ControllerFixture::decoded(outcome);
}

std::map<std::string, int> replay(const std::string& folder,
                                  const controller::ControllerConfig& config) {
  ControllerFixture fixture(config);
  std::map<std::string, int> compared;
  for (const Exchange& exchange : controller_exchanges(folder)) {
    INFO(exchange.request.name());
    const Json ours = answer_of(fixture, exchange.request);
    const wire::Envelope theirs = ControllerFixture::decode(exchange.response.frames);
    const std::string type = ControllerFixture::decode(exchange.request.frames).request_type;
    if (kNotServed.contains(type)) {
      CHECK(ours.at("request_type") == wire::RequestError::kType);
      continue;
    }
    if (kJudgedOtherwise.contains(exchange.request.name())) continue;
    compare(ours, canonical(theirs));
    ++compared[ours.at("request_type")];
  }
  return compared;
}

TEST_CASE("controller: recorded requests get the answers that Python gave") {
  const std::string version = GENERATE("0.1.6", "0.1.8", "0.1.9", "0.1.11");
  std::map<std::string, int> compared = replay(version, ControllerFixture::no_rest());
  CHECK(compared["HANDSHAKE_ACK"] == 1);
  CHECK(compared["KV_RETRIEVE_META_RESPONSE"] >= 27);
  CHECK(compared["NOTIFY_DATA_UPDATE_ACK"] >= 15);
  CHECK(compared["SET_CUSTOM_META_RESPONSE"] >= 15);
  CHECK(compared["GET_META_RESPONSE"] >= 4);
  CHECK(compared["GET_PARTITION_META_RESPONSE"] == 4);
  CHECK(compared["KV_LIST_RESPONSE"] >= 4);
  CHECK(compared["KV_RETRIEVE_KEYS_RESPONSE"] == 1);
  CHECK(compared["CONSUMPTION_RESPONSE"] == 2);
  CHECK(compared["PRODUCTION_RESPONSE"] == 2);
  CHECK(compared["RESET_CONSUMPTION_RESPONSE"] == 2);
  CHECK(compared["LIST_PARTITIONS_RESPONSE"] == 1);
  CHECK(compared["CLEAR_META_RESPONSE"] == 1);
  CHECK(compared["CLEAR_PARTITION_RESPONSE"] == 1);
  if (version == "0.1.11") {
    CHECK(compared["MARK_CLEARING_RESPONSE"] == 2);
    CHECK(compared["REQUEST_ERROR"] == 3);  // a timeout, an unknown mode, no body keys
  }
}

TEST_CASE("controller: polling mode gives the recorded answers") {
  controller::ControllerConfig config = ControllerFixture::no_rest();
  config.polling_mode = true;
  std::map<std::string, int> compared = replay("0.1.11/polling", config);
  CHECK(compared["GET_META_RESPONSE"] == 10);
  CHECK(compared["CONSUMPTION_RESPONSE"] == 1);
}

}  // namespace
}  // namespace tq::test
