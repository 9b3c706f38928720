// SPDX-License-Identifier: Apache-2.0
#include "cli/selftest_columns.h"

namespace tq::cli {
namespace {

// A tensor whose bytes count up, so that a row in the wrong place is seen. Bytes of 0 and 1 only
// are valid in every dtype, bool included.
Tensor counted(DType dtype, Shape shape, int start = 0) {
  std::string bytes(static_cast<size_t>(element_count(shape)) * dtype_size(dtype), '\0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto number = static_cast<size_t>(start) + i / dtype_size(dtype);
    bytes[i] = i % dtype_size(dtype) == 0 ? static_cast<char>(number >> (i % 3) & 1) : '\0';
  }
  return Tensor{dtype, std::move(shape), Slice::own(std::move(bytes))};
}

std::vector<Tensor> ragged(std::initializer_list<Shape> shapes) {
  std::vector<Tensor> rows;
  for (const Shape& shape : shapes) {
    rows.push_back(counted(DType::int64, shape, static_cast<int>(rows.size())));
  }
  return rows;
}

void add_dtypes(std::vector<std::pair<std::string, Column>>& columns) {
  for (DType dtype : {DType::uint8, DType::int8, DType::int16, DType::int32, DType::int64,
                      DType::uint16, DType::uint32, DType::uint64, DType::float16, DType::bfloat16,
                      DType::float32, DType::float64, DType::complex64, DType::complex128,
                      DType::boolean, DType::float8_e4m3fn, DType::float8_e5m2}) {
    columns.emplace_back(std::string(dtype_name(dtype)), Column::dense(counted(dtype, {5, 3})));
  }
}

Value object() {
  return Map{{"image", counted(DType::uint8, {2, 2})},
             {"list", Array{counted(DType::float32, {1}), 1, "x"}},
             {"nested", Map{{"none", Value()}, {"flag", true}, {"real", 1.5}}}};
}

}  // namespace

std::vector<std::pair<std::string, Column>> selftest_columns() {
  std::vector<std::pair<std::string, Column>> columns;
  add_dtypes(columns);
  columns.emplace_back("scalar", Column::dense(counted(DType::float32, {5})));
  columns.emplace_back("three_dimensions", Column::dense(counted(DType::int32, {5, 2, 3})));
  columns.emplace_back("empty_rows", Column::dense(counted(DType::float32, {5, 0})));
  columns.emplace_back("large_rows", Column::dense(counted(DType::float32, {5, 100'000})));
  columns.emplace_back("one_row", Column::dense(counted(DType::int64, {1, 3})));
  columns.emplace_back("ragged", Column::rows(ragged({{3}, {1}, {2}, {5}})));
  columns.emplace_back("ragged_2d", Column::rows(ragged({{3, 2}, {1, 2}, {2, 2}})));
  columns.emplace_back("ragged_both", Column::rows(ragged({{1, 2}, {2, 1}, {3, 3}})));
  columns.emplace_back("ragged_large", Column::rows(ragged({{30'000}, {7}, {50'000}})));
  columns.emplace_back("text", Column::values({"one", "", "четыре", std::string(20'000, 'x')}));
  columns.emplace_back("numbers", Column::values({1, -1, 2.5, true, Value()}));
  columns.emplace_back("bytes", Column::values({Bytes{std::string("\0\xff", 2)}, Bytes{""}}));
  columns.emplace_back("objects", Column::values({object(), Array{1, 2}, object()}));
  return columns;
}

}  // namespace tq::cli
