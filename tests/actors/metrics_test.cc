// SPDX-License-Identifier: Apache-2.0
// What nodes tell of themselves by GET_METRICS with our extension, and of which outcomes replies
// say what.
#include <map>

#include "actors/controller_fixture.h"
#include "actors/storage_fixture.h"

namespace tq::test {
namespace {

wire::Frames metrics_request() {
  const wire::Extension extension{wire::Extension::kVersion, "1234abcd", ""};
  return wire::pack_request("client", std::nullopt, wire::GetMetrics{}, extension);
}

const wire::Value& ours_of(const wire::Envelope& reply) {
  REQUIRE(reply.request_type == wire::MetricsResponse::kType);
  const wire::Value* ours = reply.body.find("x_tq")->find("metrics");
  REQUIRE(ours != nullptr);
  return *ours;
}

// "name label value ..." -> value.
std::map<std::string, double> gauges_of(const wire::Value& ours) {
  std::map<std::string, double> gauges;
  for (const wire::Value& entry : *ours.find("gauges")->get_if<wire::Array>()) {
    const wire::Array& parts = *entry.get_if<wire::Array>();
    std::string name = *parts[0].get_if<std::string>();
    for (const auto& [label, value] : *parts[1].get_if<wire::Map>()) {
      name += " " + *value.get_if<std::string>();
    }
    gauges[name] = *parts[2].get_if<double>();
  }
  return gauges;
}

TEST_CASE("metrics: a controller tells of its partitions") {
  ControllerFixture fixture;
  const auto indexes = fixture.register_keys("p", {"a", "b", "c", "d"});
  wire::FieldUpdate update;
  update.dtype = wire::Value(
      wire::PyObject{wire::PyObject::Kind::kGlobal, "torch", "float32", {}, {}, {}, {}});
  update.shape = wire::Shape{2, 3};
  update.is_nested = false;
  update.is_non_tensor = false;
  fixture.ask(
      wire::NotifyDataUpdate{"p", {indexes[0], indexes[1], indexes[2]}, {{"f", update}}, {}});
  fixture.ask(fixture.fetch_of("p", 1));

  const auto outcome = fixture.outcome(fixture.request_of(metrics_request()));
  const auto reply = ControllerFixture::decode(std::get<runtime::Reply>(outcome).frames);
  const auto gauges = gauges_of(ours_of(reply));
  CHECK(gauges.at("tq_partitions_total") == 1);
  CHECK(gauges.at("tq_partition_samples_total p") == 4);
  CHECK(gauges.at("tq_partition_production_progress p all") == 0.75);
  CHECK(gauges.at("tq_partition_production_progress p task") == 0.75);
  CHECK(gauges.at("tq_partition_consumption_progress p task") == 0.25);
  CHECK(gauges.at("tq_partition_field_produced_samples p f") == 3);
  CHECK(gauges.at("tq_partition_field_bytes p f") == 3 * 2 * 3 * 4);
  CHECK(gauges.at("tq_partitions_left_out") == 0);
}

TEST_CASE("metrics: a controller leaves out what would be too many series, and says so") {
  ControllerFixture fixture;
  constexpr int kPartitions = 25'000;
  for (int i = 0; i < kPartitions; ++i) fixture.register_keys(std::to_string(i), {"k"});
  const auto outcome = fixture.outcome(fixture.request_of(metrics_request()));
  const auto reply = ControllerFixture::decode(std::get<runtime::Reply>(outcome).frames);
  const auto gauges = gauges_of(ours_of(reply));
  CHECK(gauges.size() <= 20'001);
  CHECK(gauges.at("tq_partitions_total") == kPartitions);
  CHECK(gauges.at("tq_partitions_left_out") > 0);
}

TEST_CASE("metrics: without our extension a controller knows no GET_METRICS") {
  ControllerFixture fixture;
  CHECK(fixture.ask(wire::GetMetrics{}).at("request_type") == "REQUEST_ERROR");
}

TEST_CASE("metrics: a unit tells of its fields") {
  storage::StorageUnit unit({10, 1 << 20, {}});
  put(unit, {1, 2}, {{"a", counting({2, 4})}});
  const auto gauges = gauges_of(ours_of(send(unit, metrics_request()).envelope));
  CHECK(gauges.at("tq_storage_field_rows a") == 2);
  CHECK(gauges.at("tq_storage_stored_bytes") > 0);
  CHECK(gauges.at("tq_storage_held_bytes") >= gauges.at("tq_storage_stored_bytes"));
  CHECK(gauges.at("tq_storage_capacity_bytes") == 1 << 20);
}

TEST_CASE("metrics: replies say why they refuse and how many samples they are about") {
  ControllerFixture fixture;
  const auto reply_to = [&](const auto& message) {
    return std::get<runtime::Reply>(fixture.outcome(fixture.request_of(message)));
  };
  CHECK(reply_to(fixture.fetch_of("p", -1)).refusal == ErrorCode::kInvalidArgument);
  CHECK(reply_to(ControllerFixture::frames_of("NOSUCH", wire::Map{})).refusal ==
        ErrorCode::kUnsupported);
  CHECK_FALSE(reply_to(wire::GetListPartitions{}).refusal);
  const auto indexes = fixture.register_keys("p", {"a", "b"});
  CHECK(reply_to(wire::ClearMeta{indexes, {"p", "p"}}).samples == 2);

  CHECK(fixture.controller.operation_of("GET_META") == "GET_META");
  CHECK(fixture.controller.operation_of("a peer's invention") == "OTHER");
  storage::StorageUnit unit({1, {}, {}});
  CHECK(unit.operation_of("PUT") == "PUT_DATA");
  CHECK(unit.operation_of("a peer's invention") == "OTHER");
}

}  // namespace
}  // namespace tq::test
