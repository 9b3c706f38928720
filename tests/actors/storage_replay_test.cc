// SPDX-License-Identifier: Apache-2.0
// Every storage request that was recorded against Python's units, given to ours in the same order:
// the answers have the same type, and GET answers the same rows, bit for bit.
#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "actors/storage_fixture.h"
#include "support/canonical.h"
#include "support/golden.h"

namespace tq::test {
namespace {

// Where we differ on purpose (docs/differences.md): functions of peers are not run, a unit
// without a checkpoint root refuses.
const std::set<std::string> kOtherAnswer = {"put with a data parser", "read what the parser made",
                                            "save the storage units", "load the storage units",
                                            "save where nothing can be written"};

struct Exchange {
  GoldenMessage request;
  GoldenMessage response;
  std::string unit;  // Python's id
};

bool is_storage_request(const std::string& type) {
  return type == "PUT" || type == "GET" || type == "CLEAR_DATA" || type == "GET_METRICS" ||
         type == "KV_LIST" || type.ends_with("STORAGE_CHECKPOINT");
}

wire::Envelope envelope_of(const GoldenMessage& message) {
  return wire::decode(message.frames, wire::Limits{}).value();
}

// Requests of a client are answered concurrently; a reply names its unit, and per unit the order is
// that of the requests. Raw requests name no receiver and are answered before anything else is
// asked.
std::vector<Exchange> storage_exchanges(const std::string& version) {
  std::vector<GoldenMessage> open;
  std::vector<Exchange> exchanges;
  for (GoldenMessage& message : load_golden(version)) {
    if (message.file.parent_path().filename() != version) continue;  // of another controller
    const wire::Envelope envelope = envelope_of(message);
    if (message.is_request()) {
      if (is_storage_request(envelope.request_type)) open.push_back(std::move(message));
      continue;
    }
    const auto answered = std::find_if(open.begin(), open.end(), [&](const GoldenMessage& request) {
      const std::string receiver = envelope_of(request).receiver_id.value_or("");
      return receiver.empty() || receiver == envelope.sender_id;
    });
    if (answered == open.end()) continue;
    if (envelope.sender_id.starts_with("TQ_STORAGE_UNIT_")) {
      exchanges.push_back({std::move(*answered), std::move(message), envelope.sender_id});
    }
    open.erase(answered);
  }
  return exchanges;  // 0.1.9 and earlier leave a request unanswered that they cannot read
}

// The dense tensor that a column may be is the list of its rows.
wire::Value rows_as_list(const wire::Value& column) {
  wire::Array rows;
  for (size_t i = 0; i < row_count(column); ++i) rows.push_back(row_of(column, i));
  return rows;
}

void compare_rows(const Answer& ours, const wire::Envelope& theirs) {
  const wire::Value* expected = theirs.body.find("data");
  REQUIRE(expected != nullptr);
  const auto* fields = expected->get_if<wire::Map>();
  REQUIRE(ours.envelope.body.find("data")->get_if<wire::Map>()->size() == fields->size());
  for (const auto& [name, rows] : *fields) {
    const std::string& field = *name.get_if<std::string>();
    INFO("field " << field);
    const Json wanted = canonical(rows);
    const Json got = canonical(rows_as_list(ours.column(field)));
    if (!same(wanted, got)) FAIL_CHECK("expected " << wanted.dump(1) << "\ngot " << got.dump(1));
  }
}

// The marker is what 0.1.11 added to the message.
void compare(const Answer& ours, const wire::Envelope& theirs, bool newest) {
  CHECK(ours.type() == theirs.request_type);
  if (ours.type() != theirs.request_type) return;
  if (ours.type() == "GET_DATA_RESPONSE") compare_rows(ours, theirs);
  const wire::Value* message = theirs.body.find("message");
  if (message == nullptr || message->get_if<std::string>() == nullptr) return;
  CHECK_FALSE(ours.message().empty());
  const bool marked = message->get_if<std::string>()->starts_with("[TQKeyNotFound] ");
  if (marked || newest) CHECK(ours.message().starts_with("[TQKeyNotFound] ") == marked);
}

TEST_CASE("storage: recorded requests get the answers that Python gave") {
  const std::string version = GENERATE("0.1.6", "0.1.8", "0.1.9", "0.1.11");
  std::map<std::string, std::unique_ptr<storage::StorageUnit>> units;
  std::map<std::string, int> compared;
  for (const Exchange& exchange : storage_exchanges(version)) {
    INFO(exchange.request.name());
    const std::string step = Json::parse(exchange.response.json_text).at("step");
    auto& unit = units[exchange.unit];
    if (unit == nullptr) unit = std::make_unique<storage::StorageUnit>(storage::StorageConfig{});
    const Answer ours = send(*unit, exchange.request.frames);
    if (kOtherAnswer.contains(step)) continue;
    compare(ours, envelope_of(exchange.response), version == "0.1.11");
    ++compared[ours.type()];
  }
  CHECK(units.size() == 2);
  CHECK(compared["PUT_DATA_RESPONSE"] >= 28);
  CHECK(compared["GET_DATA_RESPONSE"] >= 13);
  CHECK(compared["CLEAR_DATA_RESPONSE"] == 4);
  CHECK(compared["GET_ERROR"] == 2);
  CHECK(compared["PUT_ERROR"] >= 1);
  CHECK(compared["PUT_GET_ERROR"] == 1);
  CHECK(compared["PUT_GET_OPERATION_ERROR"] == 1);
}

TEST_CASE("storage: GET_METRICS has the keys of Python's answer") {
  for (const GoldenMessage& message : load_golden("0.1.11")) {
    if (!message.name().ends_with("_response_METRICS_RESPONSE")) continue;
    storage::StorageUnit unit({10, {}, {}});
    put(unit, {1, 2}, {{"a", counting({2})}});
    get(unit, {"a"}, {1});
    const Answer ours = send(unit, wire::GetMetrics{});
    const Json expected = canonical(envelope_of(message).body);
    const Json got = canonical(ours.envelope.body);
    for (const auto& [key, value] : expected.items()) CHECK(got.contains(key));
    // What Python's units add where their exporter for Prometheus is on.
    CHECK(got.size() == expected.size() + 1);
    for (const char* operation : {"PUT_DATA", "GET_DATA", "CLEAR_DATA"}) {
      const Json& stats = got.at("op_stats").at(operation);
      for (const char* name : {"request_count", "latency_avg", "latency_p50", "latency_p99"}) {
        CHECK(stats.contains(name));
      }
    }
    CHECK(got.at("storage_unit_id") == unit.id());
    CHECK(got.at("capacity") == 10);
    CHECK(got.at("active_keys") == 2);
    CHECK(got.at("process_rss_bytes") > 0);
    CHECK(got.at("requests_arrived") == 3);
    CHECK(got.at("arrivals_by_op") == Json{{"PUT_DATA", 1}, {"GET_DATA", 1}, {"GET_METRICS", 1}});
    return;
  }
  FAIL("no recorded METRICS_RESPONSE");
}

}  // namespace
}  // namespace tq::test
