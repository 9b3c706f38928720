// SPDX-License-Identifier: Apache-2.0
#include "runtime/request_counters.h"

#include <cmath>
#include <set>

#include "support/catch.h"

namespace tq::test {
namespace {

using runtime::OperationCounters;
using runtime::RequestCounters;

bool is_near(double a, double b) { return std::abs(a - b) < 1e-9; }

TEST_CASE("a duration falls into the bucket of the first bound that it does not pass") {
  OperationCounters op;
  op.add_duration(0.0005);
  op.add_duration(0.001);  // a bound is of its bucket, as Prometheus' le has it
  op.add_duration(0.0011);
  op.add_duration(5.0);
  op.add_duration(1000);
  CHECK(op.durations[0] == 2);
  CHECK(op.durations[1] == 1);
  CHECK(op.durations[9] == 1);
  CHECK(op.durations[10] == 1);
  CHECK(is_near(op.seconds, 1005.0026));
}

// What prometheus_client with upstream's arithmetic gives for the same durations.
TEST_CASE("quantiles are linear inside a bucket") {
  OperationCounters op;
  CHECK(op.quantile(0.5) == 0);
  for (int i = 0; i < 100; ++i) op.add_duration(0.003);
  CHECK(is_near(op.quantile(0.5), 0.003));
  CHECK(is_near(op.quantile(0.99), 0.001 + 0.004 * 0.99));
  for (int i = 0; i < 100; ++i) op.add_duration(0.3);
  CHECK(is_near(op.quantile(0.5), 0.005));
  CHECK(is_near(op.quantile(0.99), 0.25 + 0.25 * 0.98));
  for (int i = 0; i < 1000; ++i) op.add_duration(60);
  CHECK(is_near(op.quantile(0.99), 5.0));
}

TEST_CASE("each code of an error has a reason of its own") {
  std::set<std::string_view> reasons;
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    reasons.insert(runtime::refusal_reason(static_cast<ErrorCode>(code)));
  }
  CHECK(reasons.size() == static_cast<size_t>(ErrorCode::kInternal) + 1);
}

TEST_CASE("counters as a value for the wire") {
  RequestCounters counters;
  OperationCounters& op = counters.of("PUT_DATA");
  op.requests = 2;
  op.received_bytes = 300;
  op.add_duration(0.02);
  counters.refuse("capacity");
  counters.refuse("capacity");
  const Value map = counters.to_map();
  const Value* put = map.find("operations")->find("PUT_DATA");
  REQUIRE(put != nullptr);
  CHECK(*put->find("requests")->get_if<int64_t>() == 2);
  CHECK(*put->find("received_bytes")->get_if<int64_t>() == 300);
  CHECK(put->find("durations")->get_if<Array>()->size() == 11);
  CHECK(*map.find("refusals")->find("capacity")->get_if<int64_t>() == 2);
}

}  // namespace
}  // namespace tq::test
