// SPDX-License-Identifier: Apache-2.0
#include "transfer_queue/column.h"

#include "support/catch.h"
#include "wire/value_equal.h"

namespace tq::test {
namespace {

using Catch::Matchers::Contains;

// int16 values first, first + 1, ...
Tensor counted(Shape shape, int16_t first = 0) {
  std::vector<int16_t> numbers(static_cast<size_t>(element_count(shape)));
  for (int16_t& number : numbers) number = first++;
  const std::string_view bytes(reinterpret_cast<const char*>(numbers.data()), numbers.size() * 2);
  return {DType::int16, std::move(shape), Slice::copy_of(bytes)};
}

Tensor of_dtype(DType dtype, Shape shape) {
  const size_t size = static_cast<size_t>(element_count(shape)) * dtype_size(dtype);
  return {dtype, std::move(shape), Slice::own(std::string(size, '\1'))};
}

std::vector<int16_t> numbers_of(const Tensor& tensor) {
  std::vector<int16_t> numbers(tensor.data.size / 2);
  if (!numbers.empty()) std::memcpy(numbers.data(), tensor.data.data, tensor.data.size);
  return numbers;
}

TEST_CASE("a dense column is cut into rows that share its bytes") {
  const Tensor whole = counted({3, 2, 2});
  const Column column = Column::dense(whole);
  CHECK(column.kind() == Column::Kind::kDense);
  CHECK(column.size() == 3);
  CHECK((column.is_tensor() && column.is_uniform() && column.has_one_dtype()));
  const Tensor row = column.row_tensor(1);
  CHECK(row.shape == Shape{2, 2});
  CHECK(numbers_of(row) == std::vector<int16_t>{4, 5, 6, 7});
  CHECK(row.data.data == whole.data.data + 8);
  CHECK(column.to_dense().tensor().data.data == whole.data.data);
  CHECK(Column::dense(counted({4})).row_tensor(3).shape.empty());
  CHECK(column.row(2).get_if<Tensor>()->shape == Shape{2, 2});
}

TEST_CASE("a dense column may have no rows, or rows without elements") {
  CHECK(Column::dense(counted({0, 5})).size() == 0);
  const Column empty_rows = Column::dense(counted({3, 0}));
  CHECK(empty_rows.size() == 3);
  CHECK(empty_rows.row_tensor(2).shape == Shape{0});
  CHECK(empty_rows.row_tensor(2).data.empty());
}

TEST_CASE("a tensor that is no column of rows is refused") {
  CHECK_THROWS_WITH(Column::dense(counted({})), Contains("0-d"));
  Tensor short_of_bytes = counted({4});
  short_of_bytes.shape = {5};
  CHECK_THROWS_WITH(Column::dense(short_of_bytes), Contains("int16") && Contains("8 bytes"));
  Tensor negative = counted({4});
  negative.shape = {-2, -2};
  CHECK_THROWS_AS(Column::dense(negative), Error);
}

TEST_CASE("rows of unlike shapes become one buffer with offsets") {
  const Column rows =
      Column::rows({counted({3}), counted({0}, 9), counted({2, 2}, 10), counted({}, 20)});
  CHECK(rows.kind() == Column::Kind::kRows);
  CHECK_FALSE(rows.is_uniform());
  CHECK_THROWS_WITH(rows.to_dense(), Contains("to_jagged"));
  const JaggedTensor jagged = rows.to_jagged();
  CHECK(jagged.offsets == std::vector<int64_t>{0, 3, 3, 7, 8});
  CHECK(jagged.shapes == std::vector<Shape>{{3}, {0}, {2, 2}, {}});
  CHECK(jagged.values.shape == Shape{8});
  CHECK(numbers_of(jagged.values) == std::vector<int16_t>{0, 1, 2, 10, 11, 12, 13, 20});
  const Column column = Column::jagged(jagged);
  CHECK(column.size() == 4);
  CHECK(numbers_of(column.row_tensor(2)) == std::vector<int16_t>{10, 11, 12, 13});
  CHECK(column.row_tensor(2).shape == Shape{2, 2});
  CHECK(column.row_tensor(3).shape.empty());
  CHECK(column.to_jagged().values.data.data == jagged.values.data.data);
}

TEST_CASE("rows of one shape become a dense tensor") {
  const Column rows = Column::rows({counted({2}, 5), counted({2}, 1), counted({2}, 3)});
  REQUIRE(rows.is_uniform());
  const Tensor dense = rows.to_dense().tensor();
  CHECK(dense.shape == Shape{3, 2});
  CHECK(numbers_of(dense) == std::vector<int16_t>{5, 6, 1, 2, 3, 4});
  const Column jagged = Column::jagged({counted({4}), {0, 2, 4}, {{2}, {2}}});
  CHECK(jagged.is_uniform());
  CHECK(numbers_of(jagged.to_dense().tensor()) == std::vector<int16_t>{0, 1, 2, 3});
  const JaggedTensor of_dense = Column::dense(counted({2, 3})).to_jagged();
  CHECK(of_dense.offsets == std::vector<int64_t>{0, 3, 6});
  CHECK(of_dense.shapes == std::vector<Shape>{{3}, {3}});
}

TEST_CASE("rows of unlike dtypes stay what they are") {
  const Column rows =
      Column::rows({of_dtype(DType::float32, {2}), of_dtype(DType::int32, {2})});  // 8 bytes each
  CHECK_FALSE(rows.has_one_dtype());
  CHECK_FALSE(rows.is_uniform());
  CHECK_THROWS_WITH(rows.to_jagged(), Contains("float32") && Contains("int32"));
  CHECK_THROWS_AS(rows.to_dense(), Error);
}

TEST_CASE("a jagged tensor whose parts do not fit is refused") {
  const std::vector<JaggedTensor> wrong = {
      {counted({4}), {0, 2}, {{2}, {2}}},                       // an offset too few
      {counted({4}), {0, 2, 4}, {{2}}},                         // a shape too few
      {counted({4}), {1, 2, 4}, {{1}, {2}}},                    // does not begin at 0
      {counted({4}), {0, 3, 2}, {{3}, {1}}},                    // goes back
      {counted({4}), {0, 2, 3}, {{2}, {1}}},                    // leaves values over
      {counted({4}), {0, 2, 6}, {{2}, {4}}},                    // goes past the values
      {counted({2, 2}), {0, 2, 4}, {{2}, {2}}},                 // values that are not flat
      {counted({4}), {0, 2, 4}, {{-1, -2}, {2}}},               // a negative dimension
      {counted({4}), {}, {}},                                   // no offsets
      {{DType::int64, {4}, counted({4}).data}, {0, 4}, {{4}}},  // bytes of another dtype
  };
  for (const JaggedTensor& tensor : wrong) CHECK_THROWS_AS(Column::jagged(tensor), Error);
}

TEST_CASE("a column of values holds anything and is no tensor") {
  const Column column = Column::values({"text", Value(), counted({2})});
  CHECK(column.size() == 3);
  CHECK_FALSE(column.is_tensor());
  CHECK_FALSE(column.has_one_dtype());
  CHECK(*column.row(0).get_if<std::string>() == "text");
  CHECK(column.row(2).get_if<Tensor>() != nullptr);
  CHECK_THROWS_AS(column.tensor(), Error);
  CHECK_THROWS_AS(column.row_tensor(2), Error);
  CHECK_THROWS_AS(column.to_dense(), Error);
  CHECK_THROWS_AS(Column::dense(counted({1})).values(), Error);
  CHECK(Column().size() == 0);
}

TEST_CASE("a part of a column is of its kind and shares its bytes") {
  const Tensor whole = counted({4, 3});
  const Column dense = Column::dense(whole).slice(1, 3);
  CHECK(dense.kind() == Column::Kind::kDense);
  CHECK(dense.tensor().shape == Shape{2, 3});
  CHECK(numbers_of(dense.tensor()) == std::vector<int16_t>{3, 4, 5, 6, 7, 8});
  CHECK(dense.tensor().data.data == whole.data.data + 6);
  CHECK(dense.tensor().data.owner == whole.data.owner);

  const JaggedTensor all{counted({6}), {0, 3, 3, 5, 6}, {{3}, {0, 2}, {2, 1}, {}}};
  const Column jagged = Column::jagged(all).slice(1, 4);
  REQUIRE(jagged.kind() == Column::Kind::kJagged);
  const JaggedTensor part = jagged.to_jagged();
  CHECK(part.offsets == std::vector<int64_t>{0, 0, 2, 3});
  CHECK(part.shapes == std::vector<Shape>{{0, 2}, {2, 1}, {}});
  CHECK(numbers_of(part.values) == std::vector<int16_t>{3, 4, 5});
  CHECK(part.values.data.data == all.values.data.data + 6);
  CHECK_NOTHROW(Column::jagged(part));

  const Tensor row = counted({2});
  const Column rows = Column::rows({counted({3}), row, counted({1})}).slice(1, 2);
  CHECK(rows.kind() == Column::Kind::kRows);
  CHECK(rows.size() == 1);
  CHECK(rows.row_tensor(0).data.data == row.data.data);

  const Column values = Column::values({"a", "b", "c"}).slice(1, 3);
  CHECK(values.size() == 2);
  CHECK(*values.row(1).get_if<std::string>() == "c");
}

TEST_CASE("the parts of a column, empty ones too, are the whole again") {
  const std::vector<Column> columns = {
      Column::dense(counted({5, 2})),
      Column::dense(counted({5})),
      Column::dense(counted({5, 0})),
      Column::jagged({counted({6}), {0, 1, 1, 4, 4, 6}, {{1}, {0}, {3}, {0}, {2}}}),
      Column::rows({counted({1}), counted({2}), counted({}), counted({0}), counted({3})}),
      Column::values({1, 2, 3, 4, 5})};
  for (const Column& column : columns) {
    for (size_t cut = 0; cut <= column.size(); ++cut) {
      const Column left = column.slice(0, cut);
      const Column right = column.slice(cut, column.size());
      REQUIRE(left.size() == cut);
      REQUIRE(right.size() == column.size() - cut);
      for (size_t i = 0; i < column.size(); ++i) {
        const Column& part = i < cut ? left : right;
        CHECK(wire::equal(part.row(i < cut ? i : i - cut), column.row(i)));
      }
    }
  }
}

TEST_CASE("a part past the rows of a column is refused") {
  const Batch batch = {{"a", Column::values({1, 2})}, {"b", Column::dense(counted({2, 3}))}};
  CHECK(batch.slice(1, 2).at("b").tensor().shape == Shape{1, 3});
  CHECK(batch.slice(2, 2).size() == 0);
  CHECK_THROWS_WITH(batch.slice(1, 3), Contains("rows 1 to 3 are no part of 2 rows"));
  CHECK_THROWS_AS(batch.at("a").slice(2, 1), Error);
  CHECK(Batch().slice(0, 0).empty());
  CHECK_THROWS_AS(Batch().slice(0, 1), Error);
}

TEST_CASE("a batch keeps its columns in order and of one length") {
  Batch batch = {{"b", Column::dense(counted({2}))}, {"a", Column::values({1, 2})}};
  CHECK(batch.size() == 2);
  CHECK(batch.columns()[0].first == "b");
  CHECK_THROWS_WITH(batch.set("c", Column::values({1})),
                    Contains("'c'") && Contains("1 rows") && Contains("'b'") && Contains("2"));
  CHECK(batch.find("c") == nullptr);
  CHECK_THROWS_WITH(batch.set("a", Column::values({1})), Contains("'a'"));
  CHECK(batch.at("a").size() == 2);
  batch.set("a", Column::values({3, 4}));
  CHECK(batch.columns().size() == 2);
  CHECK(*batch.at("a").row(0).get_if<int64_t>() == 3);
  CHECK_THROWS_WITH(batch.at("zz"), Contains("'zz'") && Contains("b, a"));
  Batch alone = {{"x", Column::values({1})}};
  alone.set("x", Column::values({1, 2, 3}));  // the only one may change its length
  CHECK(alone.size() == 3);
  CHECK(Batch().empty());
  CHECK(Batch().size() == 0);
}

}  // namespace
}  // namespace tq::test
