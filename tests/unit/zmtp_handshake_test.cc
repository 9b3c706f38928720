// SPDX-License-Identifier: Apache-2.0
// What peers say before the first message, against rfc.zeromq.org/spec/37.
#include "zmtp/handshake.h"

#include <optional>

#include "support/catch.h"
#include "support/zmtp_bytes.h"
#include "transfer_queue/error.h"

namespace tq::test {
namespace {

using namespace std::string_literals;
using zmtp::SocketType;

/// Empty when nothing is thrown.
template <class F>
std::string refusal_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kDecode);
    return error.what();
  }
  return "";
}

std::string greeting_refusal(const std::string& bytes) {
  return refusal_of([&] { zmtp::check_greeting(bytes); });
}

std::string ready_refusal(const std::string& command, SocketType own = SocketType::kRouter) {
  return refusal_of([&] { zmtp::read_ready(own, command); });
}

bool says(const std::string& sentence, const std::string& part) {
  INFO(sentence);
  return sentence.find(part) != std::string::npos;
}

TEST_CASE("our greeting is that of ZMTP 3.1 with mechanism NULL") {
  const std::string expected =
      "\xff\0\0\0\0\0\0\0\x01\x7f"
      "\x03\x01"
      "NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
      "\0"
      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"s;
  REQUIRE(expected.size() == 64);
  const auto& greeting = zmtp::greeting();
  CHECK(std::string(greeting.begin(), greeting.end()) == expected);
}

TEST_CASE("greetings of this and of later versions are taken, whatever their padding") {
  CHECK(greeting_refusal(zmtp_greeting(3, 0)) == "");
  CHECK(greeting_refusal(zmtp_greeting(3, 1)) == "");
  for (int major = 4; major < 256; ++major) {  // "MUST accept higher protocol versions as valid"
    CHECK(greeting_refusal(zmtp_greeting(static_cast<char>(major), 0)) == "");
  }
  std::string padded = zmtp_greeting();
  padded.replace(1, 8, "whatever");
  CHECK(greeting_refusal(padded) == "");
}

TEST_CASE("greetings of other protocols, versions and mechanisms are refused and say so") {
  std::string http = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: a browser\r\n\r\n\r\n\r\n";
  http.resize(zmtp::kGreetingBytes);
  CHECK(says(greeting_refusal(http), "does not speak"));
  std::string unsigned_one = zmtp_greeting();
  unsigned_one[9] = '\0';
  CHECK(says(greeting_refusal(unsigned_one), "does not speak"));
  for (char major = 0; major < 3; ++major) {
    CHECK(says(greeting_refusal(zmtp_greeting(major)), "version " + std::to_string(major)));
  }
  CHECK(says(greeting_refusal(zmtp_greeting(3, 1, "CURVE")), "mechanism CURVE"));
  CHECK(says(greeting_refusal(zmtp_greeting(3, 1, "PLAIN")), "mechanism PLAIN"));
  CHECK(greeting_refusal(zmtp_greeting(3, 1, "NULLS")) != "");
  CHECK(greeting_refusal(zmtp_greeting(3, 1, "")) != "");
  CHECK(greeting_refusal(zmtp_greeting(3, 1, "ABCDEFGHIJKLMNOPQRST")) != "");  // no null at its end
}

TEST_CASE("our READY names socket type and identity") {
  CHECK(zmtp::ready_command(SocketType::kDealer, "abc") ==
        "\x05READY"
        "\x0bSocket-Type\0\0\0\x06"
        "DEALER"
        "\x08Identity\0\0\0\x03"
        "abc"s);
  CHECK(zmtp::ready_command(SocketType::kRouter, "") ==
        "\x05READY"
        "\x0bSocket-Type\0\0\0\x06ROUTER"
        "\x08Identity\0\0\0\0"s);
  CHECK(zmtp::ready_command(SocketType::kDealer, std::string(255, 'i')) ==
        zmtp_ready("DEALER", std::string(255, 'i')));
}

TEST_CASE("a READY gives the identity, whatever else it says") {
  const auto identity_of = [](const std::string& command) {
    return zmtp::read_ready(SocketType::kRouter, command);
  };
  CHECK(identity_of(zmtp_ready("DEALER", "abc")) == "abc");
  CHECK(identity_of(zmtp_ready("DEALER")) == "");
  CHECK(identity_of(zmtp_ready("DEALER", std::string(255, '\xff'))) == std::string(255, '\xff'));
  CHECK(identity_of("\x05READY" + zmtp_property("Socket-Type", "REQ")) == "");
  CHECK(identity_of("\x05READY" + zmtp_property("X-Key", patterned(1000)) +
                    zmtp_property("Identity", "first") + zmtp_property("Resource", "") +
                    zmtp_property("Socket-Type", "DEALER")) == "first");
}

TEST_CASE("the case of property names means nothing") {
  CHECK(zmtp::read_ready(SocketType::kRouter, "\x05READY" + zmtp_property("socket-type", "DEALER") +
                                                  zmtp_property("IDENTITY", "abc")) == "abc");
}

TEST_CASE("a socket talks to the types that the table of the specification allows") {
  const auto talks = [](SocketType own, const char* peer) {
    return ready_refusal(zmtp_ready(peer), own).empty();
  };
  for (const char* peer : {"REQ", "DEALER", "ROUTER"}) CHECK(talks(SocketType::kRouter, peer));
  for (const char* peer : {"REP", "DEALER", "ROUTER"}) CHECK(talks(SocketType::kDealer, peer));
  CHECK_FALSE(talks(SocketType::kRouter, "REP"));
  CHECK_FALSE(talks(SocketType::kDealer, "REQ"));
  for (const char* peer : {"PUB", "SUB", "XPUB", "XSUB", "PUSH", "PULL", "PAIR", "", "dealer"}) {
    CHECK_FALSE(talks(SocketType::kRouter, peer));
    CHECK_FALSE(talks(SocketType::kDealer, peer));
  }
  CHECK(says(ready_refusal(zmtp_ready("PUB")), "PUB"));
  CHECK(ready_refusal("\x05READY" + zmtp_property("Identity", "typeless")) != "");
}

TEST_CASE("a READY that is cut short is refused wherever it is cut") {
  const std::string whole = zmtp_ready("DEALER", "abc");
  const size_t type_only = whole.size() - zmtp_property("Identity", "abc").size();
  for (size_t size = 0; size < whole.size(); ++size) {
    INFO("the first " << size << " bytes");
    CHECK(ready_refusal(whole.substr(0, size)).empty() == (size == type_only));
  }
}

TEST_CASE("a READY with any bit flipped is read or refused, nothing else") {
  const std::string whole = zmtp_ready("DEALER", "abc");
  for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    INFO("bit " << bit);
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    CHECK_NOTHROW(ready_refusal(damaged));  // it catches what may be thrown
  }
}

TEST_CASE("other commands in the place of READY are refused") {
  CHECK(says(ready_refusal("\x05"
                           "ERROR\x0cInvalid name"),
             "Invalid name"));
  CHECK(ready_refusal("\x05"
                      "ERROR\x0c"
                      "cut") != "");
  CHECK(ready_refusal("\x04PING\0\0"s) != "");
  CHECK(ready_refusal("\x05ready" + zmtp_property("Socket-Type", "DEALER")) != "");
  CHECK(ready_refusal("") != "");
  CHECK(ready_refusal("\0"s) != "");
}

TEST_CASE("properties that the specification forbids are refused") {
  const std::string ready = "\x05READY" + zmtp_property("Socket-Type", "DEALER");
  CHECK(ready_refusal(ready + zmtp_property("", "nameless")) != "");
  CHECK(ready_refusal(ready + zmtp_property("Identity", std::string(256, 'i'))) != "");
  CHECK(ready_refusal(ready + "\x01x" + "\xff\xff\xff\xff") != "");
}

std::optional<std::string> pong_to(const std::string& command) {
  std::string pong;
  if (!zmtp::answers_ping(command, pong)) return std::nullopt;
  return pong;
}

TEST_CASE("PING is answered by PONG with its context") {
  CHECK(pong_to("\x04PING\0\0"s) == "\x04PONG");
  CHECK(pong_to("\x04PING\xff\xff"s + "context") == "\x04PONGcontext");
  const std::string longest = patterned(16);
  CHECK(pong_to("\x04PING\0\x0a"s + longest) == "\x04PONG" + longest);
}

TEST_CASE("a context that is longer than it may be is cut, as libzmq does") {
  const std::string context = patterned(1000);  // "MUST not exceed 16 octets"
  CHECK(pong_to("\x04PING\0\0"s + context) == "\x04PONG" + context.substr(0, 16));
}

TEST_CASE("nothing but a whole PING is answered") {
  for (const auto& command : {""s, "\x04PING"s, "\x04PING\0"s, "\x04PONG\0\0"s, "\x05PINGS\0\0"s,
                              "\x04ping\0\0"s, "PING\0\0"s, "\x09SUBSCRIBEx"s}) {
    CHECK(pong_to(command) == std::nullopt);
  }
}

}  // namespace
}  // namespace tq::test
