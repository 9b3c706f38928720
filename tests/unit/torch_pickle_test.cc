// SPDX-License-Identifier: Apache-2.0
// Tensors inside a message that was pickled whole. The layout is what torch 2.13 writes for a
// tensor: _rebuild_tensor_v2 on a storage that is bytes of torch.save's old format; tests/golden
// has recorded ones, here stand the odd and the hostile.
#include "wire/torch_pickle.h"

#include <cstring>

#include "support/catch.h"
#include "wire/decode.h"
#include "wire/pickle_writer.h"

namespace tq::test {
namespace {

using namespace std::string_literals;
using wire::Shape;
using wire::Tensor;
using wire::Value;

// torch.save(storage, file, _use_new_zipfile_serialization=False): magic, version, system, object,
// keys, element count, bytes.
std::string saved_storage(const std::string& storage_class, const std::string& bytes) {
  const auto pickle = [](const std::string& body) { return "\x80\x02" + body + "."; };
  std::string saved = pickle(
                          "\x8a\x0al\xfc\x9c"
                          "F\xf9 j\xa8P\x19"s) +
                      pickle("M\xe9\x03"s) + pickle("}X\x0d\0\0\0little_endian\x88s"s);
  saved += pickle("(X\x07\0\0\0storagectorch\n"s + storage_class +
                  "\nX\x01\0\0\0"s
                  "0X\x03\0\0\0"s
                  "cpuK\x01NtQ"s);
  saved += pickle(
      "]X\x01\0\0\0"s
      "0a"s);
  return saved + std::string(8, '\0') + bytes;
}

struct View {
  int64_t offset;
  Shape shape;
  Shape strides;
  bool conjugate = false;
};

void write_tensor(wire::PickleWriter& w, const std::string& saved, const View& view) {
  w.global("torch._utils", "_rebuild_tensor_v2");
  w.mark();
  w.global("torch.storage", "_load_from_bytes");
  w.mark();
  w.bytes(saved);
  w.tuple();
  w.reduce();
  w.integer(view.offset);
  w.shape_tuple(view.shape);
  w.shape_tuple(view.strides);
  w.boolean(false);
  w.value(
      wire::PyObject{wire::PyObject::Kind::kCall, "collections", "OrderedDict", {}, {}, {}, {}});
  if (view.conjugate) w.value(wire::Map{{"conj", true}});
  w.tuple();
  w.reduce();
}

Result<Value> decode(wire::PickleWriter writer) {
  return wire::decode_value(std::vector{wire::Slice::copy_of("\xC1\xFE\xED"),
                                        wire::Slice::own(std::move(writer).finish())},
                            {});
}

// The elements of a view of 0, 1, 2, ... 11 as bytes; or the refusal.
std::string elements(const View& view, const std::string& storage_class = "ByteStorage") {
  wire::PickleWriter writer;
  write_tensor(writer, saved_storage(storage_class, "\0\1\2\3\4\5\6\7\x8\x9\xa\xb"s), view);
  Result<Value> decoded = decode(std::move(writer));
  if (!decoded) return decoded.error().what();
  const Tensor& tensor = *decoded->get_if<Tensor>();
  CHECK(tensor.shape == view.shape);
  return std::string(tensor.data.view());
}

bool refuses(const std::string& outcome, const char* why) {
  INFO(outcome);
  return outcome.find(why) != std::string::npos;
}

TEST_CASE("views of a storage become row-major tensors") {
  CHECK(elements({0, {3, 4}, {4, 1}}) == "\0\1\2\3\4\5\6\7\x8\x9\xa\xb"s);
  CHECK(elements({0, {4, 3}, {1, 4}}) == "\0\4\x8\1\5\x9\2\6\xa\3\7\xb"s);  // transposed
  CHECK(elements({5, {2}, {1}}) == "\5\6"s);
  CHECK(elements({1, {2, 2}, {8, 2}}) == "\1\3\x9\xb"s);    // [::2, 1::2]
  CHECK(elements({2, {2, 3}, {0, 1}}) == "\2\3\4\2\3\4"s);  // expanded
  CHECK(elements({7, {}, {}}) == "\7"s);                    // 0-d
  CHECK(elements({12, {0, 3}, {3, 1}}) == "");
  CHECK(elements({11, {1, 1}, {100, 100}}) == "\xb"s);  // strides of single elements mean nothing
  CHECK(elements({1, {2}, {1}}, "IntStorage") == "\4\5\6\7\x8\x9\xa\xb"s);
}

TEST_CASE("views past their storage are refused") {
  CHECK(refuses(elements({12, {1}, {1}}), "past its storage"));
  CHECK(refuses(elements({0, {13}, {1}}), "past its storage"));
  CHECK(refuses(elements({0, {2}, {12}}), "past its storage"));
  CHECK(refuses(elements({0, {2, 2}, {int64_t{1} << 58, 1}}), "past its storage"));
  CHECK(refuses(elements({INT64_MAX, {2}, {0}}), "past its storage"));
  CHECK(refuses(elements({INT64_MAX, {1}, {1}}), "past its storage"));
  CHECK(refuses(elements({2, {2}, {1}}, "IntStorage"), "past its storage"));
  CHECK(refuses(elements({0, {2}, {}}), "different lengths"));
  CHECK(refuses(elements({-1, {2}, {1}}), "offset"));
  CHECK(refuses(elements({0, {2}, {-1}}), "stride"));
}

TEST_CASE("a conjugate view is refused, for its bytes are not its values") {
  View view{0, {1}, {1}};
  CHECK(elements(view, "ComplexFloatStorage").size() == 8);
  view.conjugate = true;
  CHECK(refuses(elements(view, "ComplexFloatStorage"), "resolve_conj"));
}

TEST_CASE("a small message does not expand to gigabytes") {
  CHECK(refuses(elements({0, {int64_t{1} << 32}, {0}}), "expands"));
  CHECK(elements({0, {1000, 12}, {0, 1}}).size() == 12'000);
  // Many views of one storage share the allowance.
  wire::PickleWriter writer;
  const std::string saved = saved_storage("ByteStorage", "x");
  writer.empty_list();
  writer.mark();
  for (int i = 0; i < 10; ++i) write_tensor(writer, saved, {0, {1'000'000}, {0}});
  writer.appends();
  const Result<Value> decoded = decode(std::move(writer));
  REQUIRE_FALSE(decoded.ok());
  CHECK(refuses(decoded.error().what(), "expands"));
}

}  // namespace
}  // namespace tq::test
