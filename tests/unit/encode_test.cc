// SPDX-License-Identifier: Apache-2.0
// What the encoder and the pickle writer put on the wire. The bytes on the right are what Python's
// msgspec 0.22 and pickle write for the same value.
#include "wire/encode.h"

#include <chrono>
#include <cmath>
#include <limits>

#include "support/catch.h"
#include "wire/decode.h"
#include "wire/pickle_reader.h"
#include "wire/pickle_writer.h"

namespace tq::test {
namespace {

using namespace std::string_literals;
using wire::Array;
using wire::Map;
using wire::Slice;
using wire::Value;

std::string bytes_of(const Value& v) {
  const wire::Frames frames = wire::encode_value(v);
  CHECK(frames.size() == 1);
  return std::string(frames[0].view());
}

std::string pickle_of(const Value& v) {
  wire::PickleWriter writer;
  writer.value(v);
  return std::move(writer).finish();
}

TEST_CASE("a float stays a float, also when its value is whole") {
  CHECK(bytes_of(1.0) == "\xcb\x3f\xf0\0\0\0\0\0\0"s);
  CHECK(bytes_of(0.0) == "\xcb\0\0\0\0\0\0\0\0"s);
  CHECK(bytes_of(-0.0) == "\xcb\x80\0\0\0\0\0\0\0"s);
  CHECK(bytes_of(-3.0) == "\xcb\xc0\x08\0\0\0\0\0\0"s);
  CHECK(bytes_of(18446744073709551616.0) == "\xcb\x43\xf0\0\0\0\0\0\0"s);
  CHECK(bytes_of(std::numeric_limits<double>::infinity()) == "\xcb\x7f\xf0\0\0\0\0\0\0"s);
  CHECK(bytes_of(std::nan("")) == "\xcb\x7f\xf8\0\0\0\0\0\0"s);
}

TEST_CASE("an int takes the shortest form") {
  CHECK(bytes_of(127) == "\x7f"s);
  CHECK(bytes_of(128) == "\xcc\x80"s);
  CHECK(bytes_of(256) == "\xcd\x01\x00"s);
  CHECK(bytes_of(65536) == "\xce\x00\x01\x00\x00"s);
  CHECK(bytes_of(int64_t{1} << 32) == "\xcf\0\0\0\x01\0\0\0\0"s);
  CHECK(bytes_of(uint64_t{1} << 63) == "\xcf\x80\0\0\0\0\0\0\0"s);
  CHECK(bytes_of(-32) == "\xe0"s);
  CHECK(bytes_of(-33) == "\xd0\xdf"s);
  CHECK(bytes_of(-129) == "\xd1\xff\x7f"s);
  CHECK(bytes_of(-32769) == "\xd2\xff\xff\x7f\xff"s);
  CHECK(bytes_of(INT64_MIN) == "\xd3\x80\0\0\0\0\0\0\0"s);
}

TEST_CASE("lengths take the shortest form") {
  CHECK(bytes_of(std::string(31, 'a')).substr(0, 2) == "\xbf\x61"s);
  CHECK(bytes_of(std::string(32, 'a')).substr(0, 3) == "\xd9\x20\x61"s);
  CHECK(bytes_of(std::string(256, 'a')).substr(0, 4) == "\xda\x01\x00\x61"s);
  CHECK(bytes_of(std::string(65536, 'a')).substr(0, 6) == "\xdb\x00\x01\x00\x00\x61"s);
  CHECK(bytes_of(wire::Bytes{std::string(31, 'a')}).substr(0, 3) == "\xc4\x1f\x61"s);
  CHECK(bytes_of(wire::Bytes{std::string(256, 'a')}).substr(0, 4) == "\xc5\x01\x00\x61"s);
  CHECK(bytes_of(Array(15, 0)).substr(0, 2) == "\x9f\x00"s);
  CHECK(bytes_of(Array(16, 0)).substr(0, 4) == "\xdc\x00\x10\x00"s);
  CHECK(bytes_of(Map(16, {0, 0})).substr(0, 4) == "\xde\x00\x10\x00"s);
}

TEST_CASE("a length that msgpack cannot say is an error, not a garbled message") {
  wire::Encoder encoder;
  const char byte = 0;
  const std::string_view huge(&byte, size_t{5} << 30);  // never read
  CHECK_THROWS_AS(encoder.str(huge), Error);
  CHECK_THROWS_AS(encoder.bin(huge), Error);
  CHECK_THROWS_AS(encoder.opaque(1, huge), Error);
  CHECK_THROWS_AS(encoder.array(size_t{1} << 32), Error);
  CHECK_THROWS_AS(encoder.map(size_t{1} << 32), Error);
}

TEST_CASE("an encoder starts anew after finish") {
  wire::Encoder encoder;
  encoder.integer(1);
  CHECK(wire::Frames(encoder.finish())[0].view() == "\x01");
  encoder.integer(2);
  CHECK(wire::Frames(encoder.finish())[0].view() == "\x02");
  CHECK(wire::Frames(wire::Encoder().finish())[0].empty());
}

// msgspec's timestamp of 2026-11-22 18:25:10.536030 UTC.
TEST_CASE("a datetime with a time zone comes back byte for byte") {
  const std::string header = "\xd7\xff\x7f\xcc\xac\xc0\x6b\x03\x33\x86"s;
  Result<Value> decoded = wire::decode_value(std::vector{Slice::copy_of(header)}, {});
  REQUIRE(decoded.ok());
  CHECK(bytes_of(*decoded) == header);
  // In a pickle it goes as a call of the package's decode() on these very bytes.
  CHECK(pickle_of(*decoded).find(header) != std::string::npos);
}

// {(1, "x"): None} as Python's pickle without FRAME and MEMOIZE: a list cannot be hashed.
TEST_CASE("a list as a dict's key is pickled as the tuple that it was") {
  CHECK(pickle_of(Map{{Array{1, "x"}, Value()}}) == "\x80\x05}((K\x01\x8c\x01xtNu."s);
  CHECK(pickle_of(Map{{Array{Array{1}}, Value()}}) == "\x80\x05}(((K\x01ttNu."s);
}

TEST_CASE("sets and frozensets are pickled as what they were") {
  CHECK(pickle_of(wire::Set{{1}}) == "\x80\x05\x8f(K\x01\x90."s);
  CHECK(pickle_of(wire::Set{{1}, true}) == "\x80\x05(K\x01\x91."s);
  // In a set msgpack has no say, so each item finds its own form: here a call of decode().
  const Value tensordict = Map{{"__tq_tensordict__", true}};
  const std::string nested = pickle_of(wire::Set{{tensordict}});
  CHECK(nested.find("serial_utils") != std::string::npos);
  CHECK(bytes_of(wire::Set{{tensordict}}).find("serial_utils") != std::string::npos);
}

TEST_CASE("what the writer pickles reads back as it was") {
  const Value value = Array{Value(),
                            true,
                            INT64_MIN,
                            -1,
                            2.0,
                            std::string(300, 'x'),
                            wire::Bytes{std::string(300, '\xff')},
                            wire::Tuple{{1, 2, 3, 4}},
                            Map{{"k", Array{}}, {7, Map{}}},
                            wire::SurrogateStr{"\xed\xa0\x80"},
                            wire::BigInt{std::string(300, '\1')}};
  const std::string once = pickle_of(value);
  CHECK(pickle_of(wire::read_pickle(once, {})) == once);
}

// The nesting that a peer may send, over a list. To look at the list once more for each level, or
// at each level for all above it, would be a hundred or a thousand times the work.
TEST_CASE("a deep value is pickled in a time linear in its size") {
  const auto seconds = [](const Value& v) {
    const auto start = std::chrono::steady_clock::now();
    CHECK(pickle_of(v).size() > 100'000);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  Value v = Array(50'000, 1);
  const double flat_s = seconds(v);
  for (int depth = 0; depth < 120; ++depth) v = Map{{"k", std::move(v)}};
  CHECK(seconds(v) < 50 * flat_s);
}

}  // namespace
}  // namespace tq::test
