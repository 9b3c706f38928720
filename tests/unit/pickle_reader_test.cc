// SPDX-License-Identifier: Apache-2.0
#include "wire/pickle_reader.h"

#include <chrono>

#include "support/catch.h"
#include "wire/pickle_writer.h"

namespace tq::test {
namespace {

using namespace std::string_literals;
using wire::Limits;
using wire::Value;

std::string refusal(const std::string& pickle, const Limits& limits = {}) {
  try {
    wire::read_pickle(pickle, limits);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("a pickle that would run a command is refused by its name") {
  // pickle.dumps of an object whose __reduce__ is (os.system, ("touch /tmp/x",)), protocol 2.
  const std::string attack =
      "\x80\x02"s
      "cposix\nsystem\nX\x0c\x00\x00\x00touch /tmp/x\x85R."s;
  CHECK(refusal(attack).find("'posix system'") != std::string::npos);
  // The same by STACK_GLOBAL.
  CHECK(refusal("\x80\x04\x8c\x08"s
                "builtins\x8c\x04"s
                "eval\x93\x8c\x01"s
                "1\x85R."s)
            .find("'builtins eval'") != std::string::npos);
  // Opcodes that look a class up in other ways.
  CHECK(refusal("\x80\x02"s
                "(i__main__\nX\n."s) != "");
  CHECK(refusal("\x80\x02"s
                "\x82\x01."s) != "");  // EXT1
}

TEST_CASE("what an object is given after it is made is kept in replies, and refused elsewhere") {
  // pickle.dumps(collections.deque([1, [2]]), 5) and of defaultdict(int, a=1), without FRAME.
  const std::string deque =
      "\x80\x05\x8c\x0b"
      "collections\x94\x8c\x05"
      "deque\x94\x93\x94)R\x94(K\x01]\x94K\x02"
      "ae."s;
  const std::string defaultdict =
      "\x80\x05\x8c\x0b"
      "collections\x94\x8c\x0b"
      "defaultdict\x94\x93\x94\x8c\x08"
      "builtins\x94\x8c\x03"
      "int\x94\x93\x94\x85\x94R\x94\x8c\x01"
      "a\x94K\x01s."s;
  for (const std::string& pickle : {deque, defaultdict}) {
    CHECK(refusal(pickle) != "");
    const Value read = wire::read_pickle(pickle, Limits{}, wire::UnknownNames::kKeep);
    wire::PickleWriter writer;
    writer.value(read);
    const Value again =
        wire::read_pickle(std::move(writer).finish(), Limits{}, wire::UnknownNames::kKeep);
    for (const Value& v : {read, again}) {
      const PyObject* object = v.get_if<PyObject>();
      REQUIRE(object != nullptr);
      CHECK(object->items.size() == (object->name == "deque" ? 2 : 0));
      CHECK(object->entries.size() == (object->name == "deque" ? 0 : 1));
    }
  }
}

TEST_CASE("growth by reference ends at the limit") {
  // A list that holds ten times a list that holds ten times ...: 10^20 values from 200 bytes.
  std::string bomb = "\x80\x04]\x94"s;
  for (char level = 1; level <= 20; ++level) {
    bomb += "](";
    for (int i = 0; i < 10; ++i) bomb += "h"s + static_cast<char>(level - 1);
    bomb += "e\x94"s;
  }
  bomb += ".";
  Limits limits;
  limits.nodes_max = 10'000;
  CHECK(refusal(bomb, limits).find("more than 10000 values") != std::string::npos);
  // The default limit is for messages of hundreds of megabytes; a small one may not grow so far.
  limits = {};
  limits.nodes_free = 1000;
  limits.nodes_per_byte_max = 10;
  const std::string bound = "more than " + std::to_string(1000 + 10 * bomb.size()) + " values";
  CHECK(refusal(bomb, limits).find(bound) != std::string::npos);
}

TEST_CASE("sharing as Python programs do it stays within the limit") {
  // A thousand rows that hold one dict of a hundred keys, as pickle writes it.
  std::string pickle = "\x80\x05](}\x94("s;
  for (int key = 0; key < 100; ++key) pickle += "\x8c\x04" + std::to_string(1000 + key) + "N";
  pickle += "u";
  for (int row = 1; row < 1000; ++row) pickle += "h\x00"s;
  pickle += "e.";
  const Value rows = wire::read_pickle(pickle, {});
  CHECK(rows.get_if<wire::Array>()->back().get_if<wire::Map>()->size() == 100);
}

TEST_CASE("a long text that is named often ends at the limit") {
  std::string pickle = "\x80\x05(X\x40\x42\x0f\x00"s + std::string(1'000'000, 'x') + "\x94";
  for (int i = 0; i < 1000; ++i) pickle += "h\x00"s;  // a gigabyte of text
  CHECK(refusal(pickle + "t.").find("bytes of text") != std::string::npos);
  // Once each, any text passes that a header may hold.
  Limits limits;
  limits.nodes_max = 10;
  CHECK(refusal("\x80\x05X\x40\x42\x0f\x00"s + std::string(1'000'000, 'x') + ".", limits) == "");
}

// Each of these took a time or a memory far from linear in its few megabytes.
TEST_CASE("references cost no more than their bytes") {
  std::string calls =
      "\x80\x04\x8c\x08"s
      "builtins\x8c\x09"s
      "bytearray\x93\x94("s;
  calls += std::string(1'000'000, 'N') + "t\x94";  // a tuple of a million, given to 10,000 calls
  for (int i = 0; i < 10'000; ++i) calls += "h\x00h\x01R0"s;
  CHECK(refusal(calls + "N.") == "");

  std::string memos = "\x80\x04N"s + std::string(1'000'000, '\x94');  // MEMOIZE a million times
  CHECK(refusal(memos + ".") == "");
  CHECK(refusal("\x80\x04Nr\xff\xff\xff\x7f."s).find("memo") != std::string::npos);

  Limits limits;
  limits.nodes_max = 1000;
  CHECK(refusal("\x80\x04"s + std::string(1001, '('), limits).find("marks") != std::string::npos);
  CHECK(refusal("\x80\x04N"s + std::string(1001, '2'), limits).find("values") != std::string::npos);
}

TEST_CASE("MEMOIZE takes the number of slots that are set, as CPython does") {
  // BINPUT 5, then MEMOIZE, which is slot 1; [5, 1] by BINGET.
  const Value list = wire::read_pickle(
      "\x80\x04](K\x07q\x05K\x08\x94h\x05h\x01"s
      "e."s,
      {});
  const wire::Array& items = *list.get_if<wire::Array>();
  REQUIRE(items.size() == 4);
  CHECK(*items[2].get_if<int64_t>() == 7);
  CHECK(*items[3].get_if<int64_t>() == 8);
}

TEST_CASE("what Python cannot hash is no key and in no set") {
  CHECK(refusal("\x80\x04}(]Nu."s).find("a list as a key") != std::string::npos);
  CHECK(refusal("\x80\x04}}Ns."s).find("a dict as a key") != std::string::npos);
  CHECK(refusal("\x80\x04\x8f(\x8f\x90."s).find("a set as a key") != std::string::npos);
  CHECK(refusal("\x80\x04}]\x85Ns."s).find("a tuple as a key") != std::string::npos);  // {([],): }
  CHECK(refusal("\x80\x04}K\x01\x85Ns."s) == "");
  CHECK(refusal("\x80\x04\x8f((K\x01\x91\x90."s) == "");  // {frozenset({1})}
}

TEST_CASE("a refusal is text whatever the peer wrote") {
  CHECK(refusal("\x80\x02"s
                "cos\n\xff\x1b[2J\n."s)
            .find("'os \\xff\\x1b[2J'") != std::string::npos);
  CHECK(refusal("\x80\x02"s
                "c"s +
                std::string(1'000'000, 'a') + "\nb\n.")
            .size() < 1000);
}

TEST_CASE("a list that holds itself is refused") {
  CHECK(refusal("\x80\x04]\x94h\x00"s
                "a."s)
            .find("refers to itself") != std::string::npos);
}

TEST_CASE("nesting ends at the limit") {
  const std::string deep =
      "\x80\x04"s + std::string(3'000'000, ']') + std::string(2'999'999, 'a') + "."s;
  CHECK(refusal(deep).find("nested deeper") != std::string::npos);
}

TEST_CASE("lengths are compared with what is left before memory is taken") {
  CHECK(refusal("\x80\x05\x8e\xff\xff\xff\xff\xff\xff\xff\x7f"s).find("announces") !=
        std::string::npos);
  CHECK(refusal("\x80\x05X\xff\xff\xff\xff"s
                "abc."s)
            .find("announces") != std::string::npos);
}

TEST_CASE("stack discipline is kept") {
  CHECK(refusal("\x80\x04."s) != "");  // nothing on the stack
  CHECK(refusal("\x80\x04"s
                "e."s) != "");                     // APPENDS without a mark
  CHECK(refusal("\x80\x04K\x01(t0."s) == "");      // a tuple made and dropped leaves 1
  CHECK(refusal("\x80\x04(K\x01K\x02u."s) != "");  // SETITEMS on nothing
  CHECK(refusal("\x80\x04h\x05."s) != "");         // memo never set
  CHECK(refusal("\x80\x06N."s) != "");             // protocol of the future
  CHECK(refusal("\x80\x04N"s) != "");              // no STOP
}

TEST_CASE("integers of all sizes come back as they are") {
  // pickle.dumps(n, protocol=5) of Python for each n.
  CHECK(*wire::read_pickle("\x80\x05K\xff."s, {}).get_if<int64_t>() == 255);
  CHECK(*wire::read_pickle("\x80\x05J\xff\xff\xff\xff."s, {}).get_if<int64_t>() == -1);
  CHECK(*wire::read_pickle("\x80\x05\x8a\x05\x00\x00\x00\x00\x01."s, {}).get_if<int64_t>() ==
        int64_t{1} << 32);
  CHECK(*wire::read_pickle("\x80\x05\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80."s, {})
             .get_if<int64_t>() == INT64_MIN);
  // 1 << 63 needs nine bytes and does not fit an int64.
  CHECK(wire::read_pickle("\x80\x05\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00."s, {})
            .get_if<wire::BigInt>() != nullptr);
}

TEST_CASE("what the writer writes the reader reads") {
  const int64_t integers[] = {0, 255, 256, -1, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
  for (int64_t n : integers) {
    wire::PickleWriter writer;
    writer.integer(n);
    CHECK(*wire::read_pickle(std::move(writer).finish(), {}).get_if<int64_t>() == n);
  }
}

}  // namespace
}  // namespace tq::test
