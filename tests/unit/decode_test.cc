// SPDX-License-Identifier: Apache-2.0
#include "wire/decode.h"

#include "support/catch.h"
#include "wire/encode.h"
#include "wire/pack.h"
#include "wire/unpack.h"

namespace tq::test {
namespace {

using namespace std::string_literals;
using wire::Frames;
using wire::Slice;

std::string refusal(const Frames& frames, const wire::Limits& limits = {}) {
  const Result<wire::Value> decoded = wire::decode_value(frames, limits);
  return decoded.ok() ? "" : decoded.error().what();
}

bool says(const std::string& sentence, const std::string& part) {
  INFO(sentence);
  return sentence.find(part) != std::string::npos;
}

// A tensor's ext 3 (or a numpy array's ext 5) in a header, with meta (dtype, (shape...), index),
// and its buffer.
Frames tensor_message(const std::string& dtype, const wire::Shape& shape, int64_t index,
                      const std::string& buffer, int8_t ext = 3) {
  wire::PickleWriter meta;
  meta.mark();
  meta.text(dtype);
  meta.shape_tuple(shape);
  meta.integer(index);
  meta.tuple();
  wire::Encoder encoder;
  encoder.opaque(ext, std::move(meta).finish());
  Frames frames = encoder.finish();
  frames.push_back(Slice::copy_of(buffer));
  return frames;
}

TEST_CASE("a tensor's dtype, shape, index and bytes must fit each other") {
  const std::string eight(8, '\0');
  CHECK(refusal(tensor_message("float32", {2}, 1, eight)) == "");
  CHECK(says(refusal(tensor_message("float33", {2}, 1, eight)), "'float33' is no torch dtype"));
  CHECK(refusal(tensor_message(std::string(100'000, 'f'), {2}, 1, eight)).size() < 1000);
  const std::string long_numpy = "int64[" + std::string(100'000, 'x');
  for (int8_t ext : {3, 5}) {
    CHECK(refusal(tensor_message(long_numpy, {2}, 1, eight, ext)).size() < 1000);
  }
  CHECK(says(refusal(tensor_message("float32", {3}, 1, eight)), "needs 12 bytes"));
  CHECK(says(refusal(tensor_message("float32", {2}, 2, eight)), "buffer 2"));
  CHECK(says(refusal(tensor_message("float32", {2}, 0, eight)), "buffer 0"));
  CHECK(says(refusal(tensor_message("float32", {2}, -1, eight)), "buffer -1"));
  CHECK(says(refusal(tensor_message("float32", {-2}, 1, eight)), "dimension -2"));
  // 2^62 * 4 wraps to 0 in 64 bits.
  CHECK(says(refusal(tensor_message("float32", {int64_t{1} << 62}, 1, "")), "2^59"));
  CHECK(
      says(refusal(tensor_message("uint8", {int64_t{1} << 40, int64_t{1} << 40}, 1, "")), "2^59"));
  // An empty tensor may have any other dimensions.
  CHECK(refusal(tensor_message("float32", {int64_t{1} << 62, 0}, 1, "")) == "");
  CHECK(says(refusal(tensor_message("uint8", wire::Shape(65, 1), 1, "x")), "65 dimensions"));
}

TEST_CASE("announced lengths do not take memory") {
  CHECK(says(refusal({Slice::copy_of("\xdd\xff\xff\xff\xff"s)}), "announces 4294967295 items"));
  CHECK(says(refusal({Slice::copy_of("\xdf\x7f\xff\xff\xff"s)}), "announces"));
  CHECK(refusal({Slice::copy_of("\xc6\xff\xff\xff\xff"s)}) != "");  // bin of 4 GiB
}

TEST_CASE("containers in containers cannot announce the same bytes twice") {
  // Two lists of 8 items each in a header of 14 bytes: each alone could be true.
  const std::string header = "\xdd\0\0\0\x08\xdd\0\0\0\x08\xc0\xc0\xc0\xc0"s;
  CHECK(says(refusal({Slice::copy_of(header)}), "announces 8 items"));
}

TEST_CASE("pickles in one message share one limit") {
  // An ext 4 with a list in it that unfolds to 16^3 values, twelve times.
  std::string bomb = "\x80\x04}(\x8c\x06layout\x8c\x06jagged\x8c\x07tensors]\x8c\x01x](]\x94"s;
  for (char level = 0; level < 3; ++level) {
    bomb += "](";
    for (int i = 0; i < 16; ++i) bomb += "h"s + level;
    bomb += "e\x94"s;
  }
  wire::Limits limits;
  limits.nodes_max = 20'000;
  const auto message = [&](size_t count) {
    wire::Encoder encoder;
    encoder.array(count);
    for (size_t i = 0; i < count; ++i) encoder.opaque(4, bomb + "eu.");
    return encoder.finish();
  };
  CHECK(refusal(message(1), limits) == "");
  CHECK(says(refusal(message(12), limits), "more than 20000 values"));
}

TEST_CASE("what Python cannot hash is no key") {
  CHECK(says(refusal({Slice::copy_of("\x81\x80\x01"s)}), "dict as key"));
  CHECK(says(refusal({Slice::copy_of("\x81\x91\x80\x01"s)}), "dict as key"));
  CHECK(refusal({Slice::copy_of("\x81\x91\x91\x01\x01"s)}) == "");  // {((1,),): 1}
  CHECK(refusal({Slice::copy_of("\x82\x01\x80\x02\x80"s)}) == "");  // dicts as values
  CHECK(refusal({Slice::copy_of("\x81\x01\x91\x80"s)}) == "");      // {1: [{}]}
}

TEST_CASE("a dtype's pickle is read as a name; what is no torch dtype is refused") {
  const auto dtype_of = [](const std::string& pickle) {
    wire::Encoder encoder;
    encoder.map(1);
    encoder.str("dtype");
    encoder.opaque(1, pickle);
    wire::Value update = wire::decode_value(wire::Frames(encoder.finish()), {}).value();
    wire::FieldUpdate out;
    wire::unpack_field(update, wire::Path{}, {}, out);
    return out.dtype;
  };
  // pickle.dumps(torch.float32, 5)
  const wire::Value torch_dtype = dtype_of(
      "\x80\x05\x95\x15\0\0\0\0\0\0\0\x8c\x05torch\x94\x8c\x07"s
      "float32\x94\x93\x94."s);
  REQUIRE(torch_dtype.get_if<wire::PyObject>() != nullptr);
  CHECK(torch_dtype.get_if<wire::PyObject>()->is("torch", "float32"));
  // numpy.dtype("i4"), and a tuple of a thousand Nones.
  CHECK_THROWS_WITH(dtype_of("\x80\x05\x8c\x05numpy\x8c\x05"s
                             "dtype\x93\x8c\x02i4\x85R."s),
                    Catch::Matchers::Contains("dtype must be a torch dtype or None"));
  CHECK_THROWS_WITH(dtype_of("\x80\x05("s + std::string(1000, 'N') + "t."),
                    Catch::Matchers::Contains("dtype must be a torch dtype or None"));
}

TEST_CASE("what replies repeat of a header is bounded") {
  const auto refusal_of = [](size_t sender_bytes) {
    const Frames frames =
        wire::pack_request(std::string(sender_bytes, 's'), "n", wire::GetMetrics{});
    const Result<wire::Envelope> decoded = wire::decode(frames, {});
    return std::string(decoded.ok() ? "" : decoded.error().what());
  };
  CHECK(refusal_of(65536) == "");
  CHECK(says(refusal_of(65537), "'sender_id' has 65537 bytes"));
}

TEST_CASE("nesting, nodes and frames are bounded") {
  CHECK(says(refusal({Slice::copy_of(std::string(3'000'000, '\x91') + '\xc0')}), "nested deeper"));
  wire::Limits limits;
  limits.nodes_max = 10;
  CHECK(says(refusal({Slice::copy_of("\x9b" + std::string(11, '\xc0'))}, limits),
             "more than 10 values"));
  limits.frames_max = 2;
  CHECK(says(refusal(Frames(3, Slice::copy_of("\xc0"s)), limits), "3 frames"));
  limits.header_bytes_max = 4;
  CHECK(says(refusal({Slice::copy_of("\xa4"s
                                     "abcd")},
                     limits),
             "the limit is 4"));
}

TEST_CASE("the header must be one whole msgpack value") {
  CHECK(says(refusal({}), "no frames"));
  CHECK(says(refusal({Slice{}}), "first frame is empty"));
  CHECK(says(refusal({Slice::copy_of("\xc1"s)}), "invalid byte"));
  CHECK(says(refusal({Slice::copy_of("\xc0\xc0"s)}), "1 bytes follow"));
  CHECK(says(refusal({Slice::copy_of("\xa2\xff\xfe"s)}), "UTF-8"));
  CHECK(says(refusal({Slice::copy_of("\xd4\x07x"s)}), "ext type 7"));
  CHECK(says(refusal({Slice::copy_of("\xd4\xffx"s)}), "timestamp has 1 bytes"));
}

TEST_CASE("a wrong body names the message and the field") {
  const auto unpack = [](auto message, const char* field, const wire::Value& value) {
    using Message = decltype(message);
    Frames frames = wire::pack_request("sender", std::nullopt, message);
    Result<wire::Envelope> envelope = wire::decode(frames, {});
    REQUIRE(envelope.ok());
    wire::Value* place = envelope->body.find(field);
    REQUIRE(place != nullptr);
    *place = value;
    try {
      wire::unpack_body<Message>(envelope->body, {});
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  wire::ClearMeta clear{{1, 2}, {"p", "p"}};
  CHECK(
      says(unpack(clear, "global_indexes", "text"), "body.global_indexes must be a list, got str"));
  CHECK(says(unpack(clear, "global_indexes", wire::Array{1, "x"}),
             "body.global_indexes[1] must be an int, got str"));
  CHECK(says(unpack(clear, "global_indexes", wire::Array{-1}), "body.global_indexes[0] is -1"));
  CHECK(says(unpack(clear, "partition_ids", wire::Array{"p", 7}), "body.partition_ids[1]"));
  CHECK(says(unpack(wire::KvRetrieveMeta{{"a"}, "p", true}, "keys", wire::Array{wire::Value()}),
             "body.keys[0] must be a str, got None"));
  wire::Value empty{wire::Map{}};
  CHECK_THROWS_WITH(
      wire::unpack_body<wire::ClearMeta>(empty, {}),
      Catch::Matchers::Contains("'global_indexes'") && Catch::Matchers::Contains("CLEAR_META"));
}

TEST_CASE("the extension key is echoed when it was sent, and only then") {
  const wire::Extension extension{1, "0000abcd", ""};
  Result<wire::Envelope> request = wire::decode(
      wire::Frames(wire::pack_request("client", "node", wire::GetMetrics{}, extension)), {});
  REQUIRE(request.ok());
  Result<wire::Envelope> reply =
      wire::decode(wire::Frames(wire::pack_reply("NODE_1", *request, wire::PutDataResponse{})), {});
  REQUIRE(reply.ok());
  const auto echoed = wire::extension_of(reply->body);
  REQUIRE(echoed.has_value());
  CHECK(echoed->request_id == "0000abcd");
  CHECK(echoed->incarnation == "NODE_1");

  Result<wire::Envelope> plain =
      wire::decode(wire::Frames(wire::pack_request("client", "node", wire::GetMetrics{})), {});
  Result<wire::Envelope> plain_reply =
      wire::decode(wire::Frames(wire::pack_reply("NODE_1", *plain, wire::PutDataResponse{})), {});
  CHECK_FALSE(wire::extension_of(plain_reply->body).has_value());
  CHECK(plain_reply->body.get_if<wire::Map>()->empty());
}

}  // namespace
}  // namespace tq::test
