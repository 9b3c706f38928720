// SPDX-License-Identifier: Apache-2.0
// What a PUT's data looks like on the wire, and how replies to a GET become columns again.
#include "manager/get_message.h"
#include "manager/put_message.h"
#include "support/catch.h"
#include "wire/decode.h"

namespace tq::test {
namespace {

using Catch::Matchers::Contains;
using manager::assemble;
using manager::check_part;
using manager::pack_columns;
using manager::route;
using manager::RoutingGroup;

// Row i is filled with the byte i.
Tensor rows_of_bytes(size_t rows, size_t row_bytes) {
  std::string bytes;
  for (size_t i = 0; i < rows; ++i) bytes += std::string(row_bytes, static_cast<char>(i));
  return {DType::uint8,
          {static_cast<int64_t>(rows), static_cast<int64_t>(row_bytes)},
          Slice::own(std::move(bytes))};
}

// The field `x` of a PUT to one group, decoded from its frames.
Value packed(const Column& column, const RoutingGroup& group, wire::Frames* frames = nullptr) {
  wire::Encoder encoder;
  pack_columns(encoder, {{"x", column}}, group);
  const wire::Frames sent = encoder.finish();
  if (frames != nullptr) *frames = sent;
  return *wire::decode_value(sent, wire::Limits{}).value().find("x");
}

std::string first_bytes(const Value& rows) {
  std::string bytes;
  if (const Tensor* dense = rows.get_if<Tensor>()) {
    for (size_t i = 0; i < static_cast<size_t>(dense->shape[0]); ++i) {
      bytes += dense->data.view()[i * dense->data.size / static_cast<size_t>(dense->shape[0])];
    }
    return bytes;
  }
  for (const Value& row : *rows.get_if<Array>()) bytes += row.get_if<Tensor>()->data.view()[0];
  return bytes;
}

TEST_CASE("rows of a dense column that lie together go out as they lie") {
  const Tensor tensor = rows_of_bytes(6, 100);
  wire::Frames frames;
  const Value x = packed(Column::dense(tensor), {0, {0, 0, 0}, {2, 3, 4}}, &frames);
  REQUIRE(x.get_if<Tensor>() != nullptr);
  CHECK(x.get_if<Tensor>()->shape == Shape{3, 100});
  CHECK(first_bytes(x) == "\2\3\4");
  REQUIRE(frames.size() == 2);
  CHECK(frames[1].data == tensor.data.data + 200);  // no copy
}

TEST_CASE("scattered rows are gathered when small and sent from where they lie when large") {
  const std::vector<int64_t> indexes = {0, 1, 2, 3, 4, 5};
  const RoutingGroup odd = route(indexes, 2)[1];
  const Value small = packed(Column::dense(rows_of_bytes(6, 100)), odd);
  REQUIRE(small.get_if<Tensor>() != nullptr);
  CHECK(small.get_if<Tensor>()->shape == Shape{3, 100});
  CHECK(first_bytes(small) == "\1\3\5");
  const Tensor large_rows = rows_of_bytes(6, 100'000);
  const Value large = packed(Column::dense(large_rows), odd);
  REQUIRE(large.get_if<Tensor>() != nullptr);
  CHECK(large.get_if<Tensor>()->shape == Shape{3, 100'000});
  CHECK(first_bytes(large) == "\1\3\5");
  wire::Encoder encoder;
  pack_columns(encoder, {{"x", Column::dense(large_rows)}}, odd);
  const OutMessage sent = encoder.finish();
  CHECK(sent.frames() == 2);
  REQUIRE(sent.pieces().size() == 4);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(sent.pieces()[1 + i].data.data == large_rows.data.data + (1 + 2 * i) * 100'000);
  }
}

TEST_CASE("other columns go out as a list of their rows") {
  const RoutingGroup group{1, {7, 9}, {2, 0}};
  const Value values = packed(Column::values({"a", "b", "c"}), group);
  CHECK(*values.get_if<Array>()->at(0).get_if<std::string>() == "c");
  CHECK(*values.get_if<Array>()->at(1).get_if<std::string>() == "a");
  const Column jagged =
      Column::jagged({{DType::uint8, {6}, Slice::own("aabccc")}, {0, 2, 3, 6}, {{2}, {1}, {3}}});
  const Value rows = packed(jagged, group);
  CHECK(first_bytes(rows) == "ca");
  CHECK(rows.get_if<Array>()->at(0).get_if<Tensor>()->shape == Shape{3});
}

Value data_of(const std::string& field, Value column) {
  return Map{{Value(field), std::move(column)}};
}

TEST_CASE("replies are put together in the order of the batch") {
  const std::vector<int64_t> indexes = {3, 0, 1, 4};  // units: 1, 0, 1, 0
  const std::vector<RoutingGroup> groups = route(indexes, 2);
  const Tensor even = rows_of_bytes(2, 3);  // dense from one unit, a list from the other
  Array odd = {Tensor{DType::uint8, {3}, Slice::own("ooo")},
               Tensor{DType::uint8, {3}, Slice::own("ppp")}};
  const Batch batch = assemble({"x"}, groups, {data_of("x", even), data_of("x", odd)}, 4);
  const Column& x = batch.at("x");
  CHECK(x.kind() == Column::Kind::kRows);
  std::string seen;
  for (size_t i = 0; i < 4; ++i) seen += x.row_tensor(i).data.view()[0];
  CHECK(seen == std::string("o\0p\1", 4));
  CHECK(x.row_tensor(1).data.data == even.data.data);  // where it lies
}

TEST_CASE("a column that one reply holds whole stays dense") {
  const Tensor whole = rows_of_bytes(2, 3);
  const std::vector<int64_t> indexes = {2, 4};
  const Batch batch = assemble({"x"}, route(indexes, 2), {data_of("x", whole)}, 2);
  CHECK(batch.at("x").tensor().data.data == whole.data.data);
}

TEST_CASE("rows that are not all tensors are values") {
  const std::vector<int64_t> indexes = {0, 2};
  const Array rows = {Value(), Tensor{DType::uint8, {3}, Slice::own("abc")}};
  const Batch batch = assemble({"x"}, route(indexes, 2), {data_of("x", rows)}, 2);
  CHECK(batch.at("x").kind() == Column::Kind::kValues);
  CHECK(batch.at("x").row(0).is_nil());
}

TEST_CASE("a reply without the rows that were asked for is refused") {
  const RoutingGroup group{0, {0, 2}, {0, 1}};
  const auto check = [&](Value column) { check_part({"x"}, group, data_of("x", column)); };
  CHECK_NOTHROW(check(Array{1, 2}));
  CHECK_NOTHROW(check(rows_of_bytes(2, 0)));
  CHECK_THROWS_WITH(check_part({"x"}, group, data_of("y", Array{1, 2})), Contains("'x'"));
  CHECK_THROWS_WITH(check_part({"x"}, group, Value()), Contains("'x'"));
  CHECK_THROWS_WITH(check(Array{1}), Contains("'x'") && Contains("1 rows instead of 2"));
  CHECK_THROWS_WITH(check("ab"), Contains("str"));
  CHECK_THROWS_WITH(check(Tensor{DType::uint8, {}, Slice::own("a")}), Contains("tensor of 0 rows"));
}

wire::FieldUpdate schema_of(const Column& column) {
  const std::vector<int64_t> indexes = {5, 7};
  return manager::field_schema({{"x", column}}, indexes).at(0).second;
}

// Expectations: extract_field_schema of release 0.1.11.
TEST_CASE("the controller is told what Python's clients tell it") {
  const wire::FieldUpdate dense = schema_of(Column::dense(rows_of_bytes(2, 3)));
  CHECK(dense.dtype.get_if<PyObject>()->is("torch", "uint8"));
  CHECK(dense.shape == Shape{3});
  CHECK((dense.is_nested == false && dense.is_non_tensor == false && !dense.per_sample_shapes));
  const wire::FieldUpdate scalars = schema_of(Column::dense({DType::uint8, {2}, Slice::own("ab")}));
  CHECK(scalars.shape == Shape{1});
  const wire::FieldUpdate jagged =
      schema_of(Column::jagged({{DType::uint8, {4}, Slice::own("abcd")}, {0, 2, 4}, {{2}, {2}}}));
  CHECK((jagged.is_nested == true && jagged.shape == Shape{2}));
  CHECK(jagged.per_sample_shapes ==
        std::vector<std::pair<int64_t, Shape>>{{5, Shape{2}}, {7, Shape{2}}});
  for (const Column& column :
       {Column::values({1, "x"}), Column::rows({{DType::uint8, {2}, Slice::own("ab")},
                                                {DType::int8, {2}, Slice::own("ab")}})}) {
    const wire::FieldUpdate values = schema_of(column);
    CHECK((values.is_non_tensor == true && values.is_nested == false));
    CHECK((values.dtype.is_nil() && !values.shape && !values.per_sample_shapes));
  }
}

}  // namespace
}  // namespace tq::test
