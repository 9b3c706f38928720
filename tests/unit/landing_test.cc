// SPDX-License-Identifier: Apache-2.0
// Replies to a GET that are received where their column will be: the values are right whatever the
// units send, and there is no copy when they send what is expected.
#include "manager/landing.h"

#include <algorithm>
#include <cstring>

#include "manager/get_message.h"
#include "support/catch.h"
#include "support/zmtp_bytes.h"
#include "wire/decode.h"
#include "wire/pack.h"

namespace tq::test {
namespace {

using manager::Landing;
using manager::route;
using manager::RoutingGroup;

constexpr size_t kUnits = 2;
constexpr int64_t kRows = 70;

// Row i has shape (length(i),); what it holds differs from row to row.
std::vector<Tensor> rows_of(const std::function<int64_t(size_t)>& length) {
  std::vector<Tensor> rows;
  for (size_t i = 0; i < kRows; ++i) {
    const auto bytes = static_cast<size_t>(length(i)) * 4;
    rows.push_back(
        {DType::float32, {length(i)}, Slice::own(patterned(bytes, static_cast<uint32_t>(i)))});
  }
  return rows;
}

// What a controller tells of such a column.
FieldSchema schema_of(const std::vector<Tensor>& rows, bool nested) {
  FieldSchema schema;
  schema.dtype = Value(PyObject{PyObject::Kind::kGlobal, "torch", "float32", {}, {}, {}, {}});
  schema.is_non_tensor = false;
  schema.is_nested = nested;
  if (!nested) {
    schema.shape = rows[0].shape;
    return schema;
  }
  schema.per_sample_shapes.emplace();
  for (const Tensor& row : rows) schema.per_sample_shapes->emplace_back(row.shape);
  return schema;
}

BatchMeta meta_of(const std::vector<std::pair<std::string, FieldSchema>>& fields) {
  BatchMeta meta;
  for (int64_t i = 0; i < kRows; ++i) meta.global_indexes.push_back(100 + i);
  meta.field_schema = fields;
  return meta;
}

// The reply's `data` after a transfer: received by a reader with this placement.
Value transferred(const Value& data, const zmtp::Placement& placement) {
  wire::Encoder encoder;
  encoder.value(data);
  const Frames frames = encoder.finish();
  std::string bytes;
  for (size_t i = 0; i < frames.size(); ++i) {
    bytes += zmtp_frame(i + 1 < frames.size() ? kMoreFlag : kLastFlag, frames[i].view());
  }
  zmtp::FrameReader reader(size_t{1} << 40);
  reader.place_bodies(placement);
  std::vector<std::byte> scratch(65536);
  std::vector<zmtp::Frame> arrived;
  for (size_t at = 0; at < bytes.size();) {
    size_t count = 0;
    for (const iovec& place : reader.places(scratch)) {
      const size_t here = std::min(place.iov_len, bytes.size() - at - count);
      if (here > 0) std::memcpy(place.iov_base, bytes.data() + at + count, here);
      count += here;
    }
    reader.received(count, scratch, arrived);
    at += count;
  }
  Frames received;
  for (zmtp::Frame& frame : arrived) received.push_back(std::move(frame.data));
  return wire::decode_value(received, wire::Limits{}).value();
}

using Sent = std::function<Value(const std::vector<Tensor>&, const RoutingGroup&)>;

Value as_list(const std::vector<Tensor>& rows, const RoutingGroup& group) {
  Array list;
  for (const size_t position : group.batch_positions) list.emplace_back(rows[position]);
  return list;
}

Column got(const std::vector<Tensor>& rows, const FieldSchema& schema, const Sent& sent) {
  const BatchMeta meta = meta_of({{"x", schema}});
  const std::vector<RoutingGroup> groups = route(meta.global_indexes, kUnits);
  const Landing landing(meta, {"x"});
  std::vector<Value> parts;
  for (const RoutingGroup& group : groups) {
    const Map data{{"x", sent(rows, group)}};
    parts.push_back(transferred(data, landing.placement_of(group)));
  }
  return manager::assemble({"x"}, groups, std::move(parts), rows.size()).at("x");
}

std::string bytes_of(const std::vector<Tensor>& rows) {
  std::string bytes;
  for (const Tensor& row : rows) bytes += row.data.view();
  return bytes;
}

TEST_CASE("dense rows that come as expected lie in their column already") {
  const auto rows = rows_of([](size_t) { return 5000; });
  const Column column = got(rows, schema_of(rows, false), as_list);
  const Tensor dense = column.to_dense().tensor();
  CHECK(dense.shape == Shape{kRows, 5000});
  CHECK(dense.data.view() == bytes_of(rows));
  CHECK(dense.data.data == column.row_tensor(0).data.data);
}

TEST_CASE("jagged rows that come as expected lie in their column already") {
  const auto rows = rows_of([](size_t i) { return static_cast<int64_t>(i % 7 * 3000); });
  const Column column = got(rows, schema_of(rows, true), as_list);
  const JaggedTensor jagged = column.to_jagged();
  CHECK(jagged.values.data.view() == bytes_of(rows));
  CHECK(jagged.values.data.data == column.row_tensor(1).data.data);
}

TEST_CASE("rows that come otherwise than expected are right all the same") {
  const auto uniform = rows_of([](size_t) { return 5000; });
  const FieldSchema schema = schema_of(uniform, false);
  SECTION("as one dense tensor") {
    const Sent dense = [](const std::vector<Tensor>& rows, const RoutingGroup& group) {
      std::string bytes;
      for (const size_t position : group.batch_positions) bytes += rows[position].data.view();
      return Value(Tensor{DType::float32,
                          {static_cast<int64_t>(group.batch_positions.size()), 5000},
                          Slice::own(std::move(bytes))});
    };
    CHECK(got(uniform, schema, dense).to_dense().tensor().data.view() == bytes_of(uniform));
  }
  SECTION("rows were put anew since the look-up, in other lengths") {
    const auto newer = rows_of([](size_t i) { return i % 3 == 0 ? 5000 : 4000; });
    CHECK(got(newer, schema, as_list).to_jagged().values.data.view() == bytes_of(newer));
  }
  SECTION("in the places of one another") {
    const BatchMeta meta = meta_of({{"x", schema}});
    const std::vector<RoutingGroup> groups = route(meta.global_indexes, kUnits);
    const Landing landing(meta, {"x"});
    std::vector<Value> parts;
    for (const RoutingGroup& group : groups) {
      // Another frame of the same size comes first, so each row is received in the place of the
      // next.
      const Map data{{"first", uniform[3]}, {"x", as_list(uniform, group)}};
      parts.push_back(transferred(data, landing.placement_of(group)));
    }
    const Column column = manager::assemble({"x"}, groups, std::move(parts), kRows).at("x");
    CHECK(column.to_dense().tensor().data.view() == bytes_of(uniform));
  }
}

TEST_CASE("large columns are asked for first; small, unknown and text columns are left alone") {
  const auto large = rows_of([](size_t) { return 5000; });
  const auto small = rows_of([](size_t) { return 10; });
  FieldSchema text;
  text.is_non_tensor = true;
  FieldSchema shapeless = schema_of(large, false);
  shapeless.shape.reset();
  const BatchMeta meta = meta_of({{"text", text},
                                  {"small", schema_of(small, false)},
                                  {"shapeless", shapeless},
                                  {"large", schema_of(large, false)}});
  const Landing landing(meta, {"text", "small", "shapeless", "large", "unheard of"});
  CHECK(landing.fields() ==
        std::vector<std::string>{"large", "text", "small", "shapeless", "unheard of"});
  const std::vector<RoutingGroup> groups = route(meta.global_indexes, kUnits);
  const zmtp::Placement placement = landing.placement_of(groups[0]);
  CHECK(placement(1, 20000).second != nullptr);
  CHECK(placement(1, 19999).second == nullptr);
  CHECK(placement(0, 20000).second == nullptr);   // the header
  CHECK(placement(36, 20000).second == nullptr);  // beyond the 35 rows
}

}  // namespace
}  // namespace tq::test
