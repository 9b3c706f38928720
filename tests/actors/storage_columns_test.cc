// SPDX-License-Identifier: Apache-2.0
// Each kind of column comes back as the rows that Python's unit makes of it. Where no recorded
// message shows a kind, the expected rows are what iterating over the column gives in Python.
#include "actors/storage_fixture.h"
#include "support/canonical.h"
#include "wire/pickle_reader.h"

namespace tq::test {
namespace {

using storage::StorageUnit;
using wire::Array;
using wire::Map;
using wire::NdArray;
using wire::NestedTensor;
using wire::Opaque;
using wire::Slice;
using wire::Tensor;
using wire::Value;

Slice bytes_of(std::string_view text) { return Slice::copy_of(text); }

Tensor int64s(wire::Shape shape, const std::vector<int64_t>& numbers) {
  const std::string_view bytes(reinterpret_cast<const char*>(numbers.data()), numbers.size() * 8);
  return {wire::DType::int64, std::move(shape), bytes_of(bytes)};
}

TEST_CASE("storage: rows of a dense column, in the order asked for, repeated ones too") {
  StorageUnit unit({});
  REQUIRE(put(unit, {10, 12, 14}, {{"x", counting({3, 2})}}).type() == "PUT_DATA_RESPONSE");
  const Answer answer = get(unit, {"x"}, {14, 10, 14});
  // Small like rows come as one dense tensor.
  CHECK(is_tensor(answer.column("x"), int64s({3, 2}, {4, 5, 0, 1, 4, 5})));
}

TEST_CASE("storage: a column of scalars has rows of no dimension") {
  StorageUnit unit({});
  put(unit, {1, 2, 3}, {{"x", counting({3})}});
  const Answer answer = get(unit, {"x"}, {2});
  CHECK(is_tensor(answer.column("x"), counting({1}, 1)));
  CHECK(is_tensor(row_of(answer.column("x"), 0), counting({}, 1)));
}

TEST_CASE("storage: rows without elements keep their shape and dtype") {
  StorageUnit unit({});
  put(unit, {1, 2}, {{"x", Tensor{wire::DType::float32, {2, 0, 3}, Slice{}}}});
  const Value& column = get(unit, {"x"}, {2, 1}).column("x");
  REQUIRE(row_count(column) == 2);
  CHECK(is_tensor(row_of(column, 1), Tensor{wire::DType::float32, {0, 3}, Slice{}}));
}

TEST_CASE("storage: ragged tensors, in a list or nested, come back one by one") {
  StorageUnit unit({});
  const NestedTensor nested{true, {counting({3}), counting({1}, 7), counting({0})}};
  const Array list{counting({1, 2}), counting({3, 2}, 5), counting({1, 2}, 9)};
  put(unit, {1, 2, 3}, {{"nested", nested}, {"list", list}});
  const Answer answer = get(unit, {"nested", "list"}, {3, 2, 1});
  const auto* rows = answer.column("nested").get_if<Array>();
  REQUIRE(rows != nullptr);
  CHECK(is_tensor(rows->at(0), nested.tensors[2]));
  CHECK(is_tensor(rows->at(1), nested.tensors[1]));
  CHECK(is_tensor(rows->at(2), nested.tensors[0]));
  CHECK(is_tensor(answer.column("list").get_if<Array>()->at(1), counting({3, 2}, 5)));
  // Rows of one shape among ragged ones are alike, so they go out dense.
  const Value& alike = get(unit, {"list"}, {1, 3}).column("list");
  REQUIRE(alike.get_if<Tensor>() != nullptr);
  CHECK(is_tensor(row_of(alike, 0), counting({1, 2})));
  CHECK(is_tensor(row_of(alike, 1), counting({1, 2}, 9)));
}

TEST_CASE("storage: tensors of several dtypes or numbers of dimensions stay a list") {
  StorageUnit unit({});
  const Tensor bytes{wire::DType::uint8, {2}, bytes_of("ab")};
  put(unit, {1, 2, 3}, {{"x", Array{counting({2}), bytes, counting({1, 1}, 3)}}});
  const Answer answer = get(unit, {"x"}, {1, 2, 3});
  const auto* rows = answer.column("x").get_if<Array>();
  REQUIRE(rows != nullptr);
  CHECK(is_tensor(rows->at(0), counting({2})));
  CHECK(is_tensor(rows->at(1), bytes));
  CHECK(is_tensor(rows->at(2), counting({1, 1}, 3)));
}

TEST_CASE("storage: values of any kind come back as they were put") {
  StorageUnit unit({});
  const Array values{
      "text",
      7,
      -1.5,
      true,
      Value(),
      Array{1, "x"},
      Map{{"k", counting({2})}, {3, 4}},
      wire::Bytes{std::string("\0\xff", 2)},
      NdArray{"<U2", {2}, bytes_of(std::string("a\0\0\0b\0\0\0c\0\0\0\0\0\0\0", 16))},
      Opaque{1, bytes_of("\x80\x05N.")},
      Opaque{2, bytes_of("any callable")}};
  put(unit, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {{"v", values}});
  const Answer answer = get(unit, {"v"}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  CHECK(canonical(answer.column("v")) == canonical(Value(values)));
}

TEST_CASE("storage: opaque payloads come back byte for byte") {
  StorageUnit unit({});
  const std::string payload = "\x80\x05 names what no reader knows";
  put(unit, {1}, {{"v", Array{Opaque{1, bytes_of(payload)}}}});
  const Answer answer = get(unit, {"v"}, {1});
  const Value row = row_of(answer.column("v"), 0);
  REQUIRE(row.get_if<Opaque>() != nullptr);
  CHECK(row.get_if<Opaque>()->payload.view() == payload);
}

// A pickle of numpy.core.multiarray.scalar(numpy.dtype(dtype), bytes), a name of numpy 1 that numpy
// 2 loads without a warning.
bool is_numpy_scalar(const Value& value, const std::string& dtype, const Slice& bytes) {
  const auto* opaque = value.get_if<Opaque>();
  if (opaque == nullptr || opaque->ext_type != 1) return false;
  const Value read = wire::read_pickle(opaque->payload.view(), {});
  const auto* call = read.get_if<wire::PyObject>();
  if (call == nullptr || !call->is("numpy.core.multiarray", "scalar")) return false;
  const auto* dtype_call = call->args.at(0).get_if<wire::PyObject>();
  return dtype_call->is("numpy", "dtype") &&
         *dtype_call->args.at(0).get_if<std::string>() == dtype &&
         call->args.at(1).get_if<wire::Bytes>()->bytes == bytes.view();
}

TEST_CASE("storage: rows of a numpy array are arrays, or scalars of a one-dimensional one") {
  StorageUnit unit({});
  const NdArray table{
      "int32", {2, 2}, bytes_of(std::string("\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0", 16))};
  const NdArray words{"<U2", {2}, bytes_of(std::string("a\0\0\0b\0\0\0c\0\0\0\0\0\0\0", 16))};
  const NdArray numbers{"int32", {2}, table.data.sub(0, 8)};
  put(unit, {5, 6}, {{"table", table}, {"words", words}, {"numbers", numbers}});
  const Answer answer = get(unit, {"table", "words", "numbers"}, {6, 5});
  const Value second = row_of(answer.column("table"), 0);
  REQUIRE(second.get_if<NdArray>() != nullptr);
  CHECK(second.get_if<NdArray>()->dtype == "int32");
  CHECK(second.get_if<NdArray>()->shape == wire::Shape{2});
  CHECK(second.get_if<NdArray>()->data.view() == table.data.sub(8, 8).view());
  // In Python a row of a one-dimensional array is a scalar, which travels as a pickle.
  CHECK(is_numpy_scalar(row_of(answer.column("numbers"), 0), "int32", numbers.data.sub(4, 4)));
  CHECK(is_numpy_scalar(row_of(answer.column("numbers"), 1), "int32", numbers.data.sub(0, 4)));
  CHECK(is_numpy_scalar(row_of(answer.column("words"), 0), "<U2", words.data.sub(8, 8)));
}

TEST_CASE("storage: a numpy array of objects is cut into its objects") {
  // pickle.dumps(array, protocol=5) of numpy 2.4, array being ["a", None, 5] of dtype object.
  const std::string_view kPickle(
      "\x80\x05\x95\x91\0\0\0\0\0\0\0\x8c\x16numpy._core.multiarray\x94\x8c\x0c_reconstruct\x94\x93"
      "\x94\x8c\x05numpy\x94\x8c\x07ndarray\x94\x93\x94K\0\x85\x94"
      "C\x01"
      "b\x94\x87\x94R\x94(K\x01K\x03\x85\x94h\x03\x8c\x05"
      "dtype\x94\x93\x94\x8c\x02O8\x94\x89\x88\x87\x94R\x94(K\x03\x8c\x01|\x94NNNJ\xff\xff\xff\xffJ"
      "\xff\xff\xff\xffK?t\x94"
      "b\x89]\x94(\x8c\x01"
      "a\x94NK\x05"
      "et\x94"
      "b.",
      156);
  StorageUnit unit({});
  const Value column = Opaque{1, bytes_of(kPickle)};
  REQUIRE(put(unit, {1, 2, 3}, {{"o", column}}).type() == "PUT_DATA_RESPONSE");
  const Answer answer = get(unit, {"o"}, {3, 2, 1});
  CHECK(canonical(answer.column("o")) == Json::parse(R"([5, null, "a"])"));
}

Value tensordict(wire::Array batch_size, Map data) {
  return Map{{"__tq_tensordict__", true},
             {"batch_size", std::move(batch_size)},
             {"data", std::move(data)}};
}

TEST_CASE("storage: a TensorDict is cut by row, the TensorDicts in it too") {
  StorageUnit unit({});
  const NestedTensor ragged{true, {counting({2}), counting({3}, 5)}};
  const Value column = tensordict(
      {2},
      {{"a", counting({2, 2})}, {"r", ragged}, {"in", tensordict({2}, {{"q", counting({2})}})}});
  REQUIRE(put(unit, {4, 5}, {{"td", column}}).type() == "PUT_DATA_RESPONSE");
  const Value row = row_of(get(unit, {"td"}, {5}).column("td"), 0);
  const Value expected = tensordict({}, {{"a", counting({2}, 2)},
                                         {"r", counting({3}, 5)},
                                         {"in", tensordict({}, {{"q", counting({}, 1)}})}});
  CHECK(canonical(row) == canonical(expected));
}

TEST_CASE("storage: a TensorDict of two batch dimensions keeps the second in its rows") {
  StorageUnit unit({});
  put(unit, {4, 5}, {{"td", tensordict({2, 3}, {{"a", counting({2, 3, 1})}})}});
  const Value row = row_of(get(unit, {"td"}, {4}).column("td"), 0);
  CHECK(canonical(row) == canonical(tensordict({3}, {{"a", counting({3, 1})}})));
  const Answer refused = put(unit, {6, 7}, {{"td", tensordict({2, 3}, {{"a", counting({2, 4})}})}});
  CHECK(refused.type() == "PUT_ERROR");
  CHECK(refused.says("field 'td' is a TensorDict of batch size [2, 3]"));
}

TEST_CASE("storage: the columns may come as one TensorDict") {
  StorageUnit unit({});
  const wire::PutData request{{1, 2}, tensordict({2}, {{"a", counting({2})}}), {}};
  REQUIRE(send(unit, request).type() == "PUT_DATA_RESPONSE");
  CHECK(is_tensor(get(unit, {"a"}, {1, 2}).column("a"), counting({2})));
}

}  // namespace
}  // namespace tq::test
