// SPDX-License-Identifier: Apache-2.0
// What goes wrong at a storage unit: the type of each error reply and its marker are those of
// Python's unit (0.1.11), the sentence names unit and field, and nothing is stored in part.
#include "actors/storage_fixture.h"

namespace tq::test {
namespace {

using storage::StorageUnit;
using wire::Array;
using wire::Map;
using wire::Opaque;
using wire::Tensor;
using wire::Value;

Answer send_body(StorageUnit& unit, std::string_view type, const Value& body) {
  return send(unit, wire::Frames(wire::pack_message({type, "TQ_STORAGE_test", unit.id()},
                                                    [&](wire::Encoder& e) { e.value(body); })));
}

TEST_CASE("storage: a column of the wrong length stores nothing of the put") {
  StorageUnit unit({});
  put(unit, {1, 2}, {{"kept", counting({2})}});
  const Answer answer =
      put(unit, {1, 2}, {{"kept", counting({2}, 100)}, {"short", counting({3, 2})}});
  CHECK(answer.type() == "PUT_ERROR");
  CHECK(answer.says("field 'short' has 3 rows, but global_indexes names 2"));
  CHECK(answer.says(unit.id()));
  CHECK(is_tensor(get(unit, {"kept"}, {1, 2}).column("kept"), counting({2})));
  const Answer unseen = get(unit, {"short"}, {1});
  CHECK(unseen.type() == "GET_ERROR");
  CHECK(unseen.says("there is no field 'short'; known fields are 'kept'"));
}

TEST_CASE("storage: what has no rows is no column") {
  StorageUnit unit({});
  const std::vector<std::pair<Value, std::string>> columns = {
      {"ab", "field 'x' is a str"},
      {5, "field 'x' is a int"},
      {Value(), "field 'x' is a None"},
      {Map{{"a", 1}, {"b", 2}}, "field 'x' is a dict"},
      {wire::Bytes{"ab"}, "field 'x' is a bytes"},
      {counting({}), "field 'x' is a tensor of no dimensions"},
      {Opaque{2, wire::Slice::copy_of("code")}, "field 'x' is a pickled object"},
      {Opaque{1, wire::Slice::copy_of("\x80\x05\x8c\x02os\x8c\x06system\x93.")}, "os system"},
      {Map{{"__tq_tensordict__", true}, {"batch_size", Array{}}, {"data", Map{}}},
       "field 'x' is a "},
      {Map{{"__tq_tensordict__", true}, {"batch_size", Array{2}}, {"data", Map{{"a", "text"}}}},
       "field 'x.a' is a str"},
  };
  for (const auto& [column, sentence] : columns) {
    const Answer answer = put(unit, {1, 2}, {{"x", column}});
    INFO(answer.message());
    CHECK(answer.type() == "PUT_ERROR");
    CHECK(answer.says(sentence));
  }
  CHECK(unit.store().active_keys() == 0);
  CHECK(unit.store().bytes_held() == 0);
}

TEST_CASE("storage: a missing row has the marker, also when its field was cleared") {
  StorageUnit unit({});
  put(unit, {1, 2}, {{"a", counting({2})}});
  const Answer missing = get(unit, {"a"}, {1, 9});
  CHECK(missing.type() == "GET_ERROR");
  CHECK(missing.message().starts_with("[TQKeyNotFound] "));
  CHECK(missing.says("global index 9 has no row in field 'a'"));
  CHECK(clear(unit, {1, 2}).type() == "CLEAR_DATA_RESPONSE");
  CHECK(get(unit, {"a"}, {1}).message().starts_with("[TQKeyNotFound] "));
  const Answer unseen = get(unit, {"b"}, {1});
  CHECK(unseen.type() == "GET_ERROR");
  CHECK_FALSE(unseen.says("TQKeyNotFound"));
  // As in Python, a put of no rows makes a field known.
  CHECK(put(unit, {}, {{"b", counting({0, 2})}}).type() == "PUT_DATA_RESPONSE");
  CHECK(get(unit, {"b"}, {1}).says("TQKeyNotFound"));
  CHECK(get(unit, {"b"}, {}).column("b").get_if<Array>()->empty());
}

TEST_CASE("storage: a data_parser is refused and says what to do") {
  StorageUnit unit({});
  const wire::PutData request{
      {1}, Map{{"x", counting({1})}}, Opaque{2, wire::Slice::copy_of("any function")}};
  const Answer answer = send(unit, request);
  CHECK(answer.type() == "PUT_ERROR");
  CHECK(answer.says("data_parser"));
  CHECK(answer.says("before the put"));
  CHECK(unit.store().active_keys() == 0);
}

TEST_CASE("storage: bodies without a key, or with one of the wrong type") {
  StorageUnit unit({});
  const Value indexes = Array{1};
  const Value fields = Array{"x"};
  // Python's handlers put the failure into their own error type, but GET's, whose handler fails
  // itself when a key is missing.
  CHECK(send_body(unit, "PUT", Map{}).type() == "PUT_ERROR");
  CHECK(send_body(unit, "PUT", Map{{"global_indexes", indexes}}).says("'data'"));
  CHECK(send_body(unit, "PUT", Value()).type() == "PUT_ERROR");
  CHECK(send_body(unit, "PUT", Map{{"global_indexes", 5}, {"data", Map{}}}).type() == "PUT_ERROR");
  CHECK(send_body(unit, "PUT", Map{{"global_indexes", indexes}, {"data", 5}}).says("body.data"));
  CHECK(send_body(unit, "PUT", Map{{"global_indexes", indexes}, {"data", Map{{7, Array{1}}}}})
            .says("a field's name must be a str"));
  CHECK(send_body(unit, "GET", Map{}).type() == "PUT_GET_ERROR");
  CHECK(send_body(unit, "GET", Value()).type() == "PUT_GET_ERROR");
  CHECK(send_body(unit, "GET", Map{{"fields", fields}}).type() == "PUT_GET_ERROR");
  CHECK(send_body(unit, "GET", Map{{"fields", 1}, {"global_indexes", indexes}}).type() ==
        "GET_ERROR");
  CHECK(send_body(unit, "GET", Map{{"fields", fields}, {"global_indexes", Array{-1}}})
            .says("body.global_indexes[0]"));
  CHECK(send_body(unit, "CLEAR_DATA", Map{}).type() == "CLEAR_DATA_ERROR");
  CHECK(send_body(unit, "CLEAR_DATA", Map{{"global_indexes", "x"}}).type() == "CLEAR_DATA_ERROR");
  CHECK(send_body(unit, "SAVE_STORAGE_CHECKPOINT", Map{}).type() == "PUT_GET_ERROR");
}

TEST_CASE("storage: requests that a unit does not serve, and frames that are no request") {
  StorageUnit unit({});
  CHECK(send_body(unit, "KV_LIST", Map{}).type() == "PUT_GET_OPERATION_ERROR");
  CHECK(send_body(unit, "NO_SUCH_TYPE", Map{}).says("does not serve 'NO_SUCH_TYPE'"));
  const Answer answer = send(unit, {wire::Slice::copy_of("\xc1")});
  CHECK(answer.type() == "PUT_GET_ERROR");
  CHECK(answer.says(unit.id()));
}

TEST_CASE("storage: checkpoints fail in the body of their reply") {
  StorageUnit unit({});
  const Answer saved = send(unit, wire::SaveStorageCheckpoint{"x.pkl"});
  CHECK(saved.type() == "SAVE_STORAGE_CHECKPOINT_RESPONSE");
  CHECK(*saved.envelope.body.find("success")->get_if<bool>() == false);
  CHECK_FALSE(saved.message().empty());
  const Answer loaded = send(unit, wire::LoadStorageCheckpoint{"x.pkl"});
  CHECK(loaded.type() == "LOAD_STORAGE_CHECKPOINT_RESPONSE");
  CHECK(*loaded.envelope.body.find("success")->get_if<bool>() == false);
}

TEST_CASE("storage: the capacity in samples counts each new index once") {
  StorageUnit unit({3, {}, {}});
  CHECK(put(unit, {1, 2}, {{"x", counting({2})}}).type() == "PUT_DATA_RESPONSE");
  // Overwriting needs no room, nor does another field of the same samples.
  CHECK(put(unit, {1, 2}, {{"x", counting({2})}, {"y", counting({2})}}).type() ==
        "PUT_DATA_RESPONSE");
  CHECK(put(unit, {2, 3, 3}, {{"x", counting({3})}}).type() == "PUT_DATA_RESPONSE");
  const Answer full = put(unit, {3, 4}, {{"x", counting({2}, 50)}});
  CHECK(full.type() == "PUT_ERROR");
  CHECK(full.says("it holds 3 samples of at most 3"));
  CHECK(is_tensor(get(unit, {"x"}, {3}).column("x"), counting({1}, 2)));
  clear(unit, {1});
  CHECK(put(unit, {3, 4}, {{"x", counting({2}, 50)}}).type() == "PUT_DATA_RESPONSE");
}

TEST_CASE("storage: the capacity in bytes counts what a put replaces") {
  StorageUnit unit({{}, 100, {}});
  CHECK(put(unit, {1, 2}, {{"x", counting({2, 5})}}).type() == "PUT_DATA_RESPONSE");  // 80 bytes
  CHECK(put(unit, {1, 2}, {{"x", counting({2, 6})}}).type() == "PUT_DATA_RESPONSE");  // 96 instead
  const Answer full = put(unit, {3}, {{"x", counting({1})}});
  CHECK(full.type() == "PUT_ERROR");
  CHECK(full.says("it holds 96 bytes of at most 100"));
  CHECK(get(unit, {"x"}, {3}).says("TQKeyNotFound"));
  clear(unit, {1});
  CHECK(put(unit, {3}, {{"x", counting({1})}}).type() == "PUT_DATA_RESPONSE");
  CHECK(unit.store().bytes_stored() == 56);
}

TEST_CASE("storage: a request cannot swell its reply by repeating a row") {
  StorageUnit unit({{}, {}, {}});
  wire::Limits limits;
  limits.frames_max = 100;
  limits.header_bytes_max = 1000;
  StorageUnit strict({{}, {}, limits});
  for (StorageUnit* each : {&unit, &strict}) {
    put(*each, {1}, {{"tensor", counting({1, 10})}, {"text", Array{std::string(50, 'x')}}});
  }
  const wire::Indexes often(101, 1);
  CHECK(row_count(get(unit, {"tensor"}, often).column("tensor")) == 101);
  CHECK(get(strict, {"tensor"}, often).says("the reply would be too large"));
  CHECK(get(strict, {"text"}, wire::Indexes(20, 1)).says("the reply would be too large"));
  CHECK(get(strict, {"tensor", "text"}, {1, 1}).type() == "GET_DATA_RESPONSE");
}

TEST_CASE("storage: the number of fields and the length of their names are bounded") {
  wire::Limits limits;
  limits.fields_max = 2;
  limits.name_bytes_max = 5;
  StorageUnit unit({{}, {}, limits});
  CHECK(put(unit, {1}, {{"a", counting({1})}, {"b", counting({1})}}).type() == "PUT_DATA_RESPONSE");
  const Answer more = put(unit, {1}, {{"a", counting({1}, 5)}, {"c", counting({1})}});
  CHECK(more.type() == "PUT_ERROR");
  CHECK(more.says("the limit is 2"));
  CHECK(is_tensor(get(unit, {"a"}, {1}).column("a"), counting({1})));
  CHECK(put(unit, {1}, {{"longer", counting({1})}}).says("the limit is 5"));
}

}  // namespace
}  // namespace tq::test
