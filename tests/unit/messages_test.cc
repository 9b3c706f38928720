// SPDX-License-Identifier: Apache-2.0
// What must hold of the one list of messages: it is complete, and its parts agree with each other.
#include "wire/messages.h"

#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include "support/catch.h"
#include "support/golden.h"
#include "wire/describe.h"
#include "wire/pack.h"
#include "wire/unpack.h"

namespace tq::test {
namespace {

std::set<std::string> listed_types() {
  std::set<std::string> types;
  const auto add = [&]<class Message>() { types.emplace(Message::kType); };
  wire::ControllerRequests::for_each(add);
  wire::StorageRequests::for_each(add);
  wire::Replies::for_each(add);
  return types;
}

TEST_CASE("every recorded message type is on the list") {
  const std::set<std::string> types = listed_types();
  for (const GoldenMessage& message : load_golden()) {
    const Result<wire::Envelope> decoded = wire::decode(message.frames, {});
    REQUIRE(decoded.ok());
    INFO(message.name());
    Result<wire::Envelope> copy = decoded;
    CHECK(types.contains(copy->request_type));
  }
}

// The 53 values of 0.1.11's ZMQRequestType (transfer_queue/utils/zmq_utils.py), the wider set of
// all releases.
TEST_CASE("every type of release 0.1.11 is on the list") {
  const std::set<std::string> types = listed_types();
  for (const char* type : {"HANDSHAKE",
                           "HANDSHAKE_ACK",
                           "REQUEST_ERROR",
                           "GET",
                           "PUT",
                           "GET_DATA_RESPONSE",
                           "PUT_DATA_RESPONSE",
                           "CLEAR_DATA",
                           "CLEAR_DATA_RESPONSE",
                           "PUT_GET_OPERATION_ERROR",
                           "PUT_GET_ERROR",
                           "PUT_ERROR",
                           "GET_ERROR",
                           "CLEAR_DATA_ERROR",
                           "GET_META",
                           "GET_META_RESPONSE",
                           "GET_PARTITION_META",
                           "GET_PARTITION_META_RESPONSE",
                           "SET_CUSTOM_META",
                           "SET_CUSTOM_META_RESPONSE",
                           "MARK_CLEARING",
                           "MARK_CLEARING_RESPONSE",
                           "CLEAR_META",
                           "CLEAR_META_RESPONSE",
                           "CLEAR_PARTITION",
                           "CLEAR_PARTITION_RESPONSE",
                           "GET_CONSUMPTION",
                           "CONSUMPTION_RESPONSE",
                           "RESET_CONSUMPTION",
                           "RESET_CONSUMPTION_RESPONSE",
                           "GET_PRODUCTION",
                           "PRODUCTION_RESPONSE",
                           "GET_LIST_PARTITIONS",
                           "LIST_PARTITIONS_RESPONSE",
                           "NOTIFY_DATA_UPDATE",
                           "NOTIFY_DATA_UPDATE_ACK",
                           "NOTIFY_DATA_UPDATE_ERROR",
                           "KV_RETRIEVE_META",
                           "KV_RETRIEVE_META_RESPONSE",
                           "KV_RETRIEVE_KEYS",
                           "KV_RETRIEVE_KEYS_RESPONSE",
                           "KV_LIST",
                           "KV_LIST_RESPONSE",
                           "GET_METRICS",
                           "METRICS_RESPONSE",
                           "SAVE_CONTROLLER_CHECKPOINT",
                           "SAVE_CONTROLLER_CHECKPOINT_RESPONSE",
                           "SAVE_STORAGE_CHECKPOINT",
                           "SAVE_STORAGE_CHECKPOINT_RESPONSE",
                           "LOAD_CONTROLLER_CHECKPOINT",
                           "LOAD_CONTROLLER_CHECKPOINT_RESPONSE",
                           "LOAD_STORAGE_CHECKPOINT",
                           "LOAD_STORAGE_CHECKPOINT_RESPONSE"}) {
    INFO(type);
    CHECK(types.contains(type));
  }
}

// A recorded body, taken apart into its struct and packed again, has the same keys: so no field
// that Python sends is missing from the list.
TEST_CASE("the list holds each key of each recorded request") {
  size_t compared = 0;
  for (const GoldenMessage& message : load_golden()) {
    if (!message.is_request()) continue;
    Result<wire::Envelope> decoded = wire::decode(message.frames, {});
    REQUIRE(decoded.ok());
    const auto compare = [&]<class Message>() {
      const wire::Map* body = decoded->body.get_if<wire::Map>();
      if (Message::kType != decoded->request_type || body == nullptr || body->empty()) return;
      wire::Value copy = decoded->body;
      const Message unpacked = wire::unpack_body<Message>(copy, {});
      Result<wire::Envelope> again =
          wire::decode(wire::Frames(wire::pack_request("s", std::nullopt, unpacked)), {});
      REQUIRE(again.ok());
      for (const auto& [key, value] : *body) {
        const std::string& name = *key.template get_if<std::string>();
        INFO(message.name() << ": " << name);
        // An optional field that is nil may be left out.
        CHECK((value.is_nil() || again->body.find(name) != nullptr));
        ++compared;
      }
    };
    wire::ControllerRequests::for_each(compare);
    wire::StorageRequests::for_each(compare);
  }
  CHECK(compared > 1000);
}

TEST_CASE("docs/protocol.md holds the list as it is") {
  std::ifstream stream(TQ_SOURCE_DIR "/docs/protocol.md");
  REQUIRE(stream.good());
  std::ostringstream page;
  page << stream.rdbuf();
  const std::string table = wire::describe_messages();
  if (page.str().find(table) == std::string::npos) {
    std::cout << table;  // not by FAIL, which wraps lines
    FAIL("put the text above into docs/protocol.md, section Messages");
  }
}

}  // namespace
}  // namespace tq::test
