// SPDX-License-Identifier: Apache-2.0
// Keys by published vectors, and the two ends of the handshake against each other: each command cut
// short, made longer, changed in each byte.
#include <algorithm>
#include <functional>
#include <optional>

#include "support/catch.h"
#include "support/zmtp_bytes.h"
#include "transfer_queue/error.h"
#include "zmtp/curve_handshake.h"
#include "zmtp/handshake.h"
#include "zmtp/refusal.h"
#include "zmtp/z85.h"

namespace tq::test {
namespace {

using namespace zmtp;

template <class Bytes>
Bytes from_hex(std::string_view hex) {
  Bytes bytes;
  REQUIRE(hex.size() == 2 * bytes.size());
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] =
        static_cast<unsigned char>(std::stoi(std::string(hex.substr(2 * i, 2)), nullptr, 16));
  }
  return bytes;
}

// The test case of rfc.zeromq.org/spec/32.
TEST_CASE("Z85 is that of its specification") {
  const auto bytes = from_hex<std::array<unsigned char, 8>>("864fd26fb559f75b");
  CHECK(to_z85(bytes) == "HelloWorld");
  std::array<unsigned char, 8> read{};
  CHECK(from_z85("HelloWorld", read));
  CHECK(read == bytes);
}

TEST_CASE("what is no Z85 of that many bytes is refused") {
  std::array<unsigned char, 8> read{};
  for (const char* text :
       {"", "HelloWorl", "HelloWorlds", "Hello Worl", "Hello\"Worl", "World#####"}) {
    INFO(text);
    CHECK_FALSE(from_z85(text, read));
  }
}

// RFC 7748, section 6.1.
TEST_CASE("a public key is known to be a secret one's") {
  CurveKeyPair alice;
  using Key = std::array<unsigned char, 32>;
  alice.secret_key.bytes =
      from_hex<Key>("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
  alice.public_key =
      from_hex<Key>("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  CHECK(alice.belongs_together());
  alice.public_key =
      from_hex<Key>("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");  // Bob's
  CHECK_FALSE(alice.belongs_together());
  CHECK(CurveKeyPair::generate().belongs_together());
}

/// Both ends, with the commands that they exchanged so far.
struct Ends {
  Ends() {
    const CurveKeyPair node_keys = CurveKeyPair::generate();
    const CurveKeyPair client_keys = CurveKeyPair::generate();
    node.emplace(std::make_shared<Curve>(Curve{node_keys, std::nullopt, {client_keys.public_key}}),
                 properties_of(SocketType::kRouter, ""));
    client.emplace(std::make_shared<Curve>(Curve{client_keys, node_keys.public_key, {}}),
                   properties_of(SocketType::kDealer, "me"));
  }
  /// The command number `which` of the handshake, before it is taken.
  std::string command(int which) {
    std::string said = client->begin();
    for (int i = 0; i < which; ++i) said = (i % 2 == 0 ? node : client)->take(said);
    return said;
  }
  CurveHandshake& taker(int which) { return which % 2 == 0 ? *node : *client; }

  std::optional<CurveHandshake> node;
  std::optional<CurveHandshake> client;
};

constexpr int kCommands = 4;

bool is_taken(int which, const std::function<void(std::string&)>& change) {
  Ends ends;
  std::string command = ends.command(which);
  change(command);
  try {
    ends.taker(which).take(command);
    return true;
  } catch (const Error&) {
    return false;
  }
}

TEST_CASE("both ends agree, and each message opens at the other end once") {
  Ends ends;
  ends.client->take(ends.command(3));
  REQUIRE(ends.node->is_done());
  REQUIRE(ends.client->is_done());
  CHECK(read_properties(SocketType::kRouter, ends.node->peer_properties()) == "me");
  const auto node = ends.node->traffic();
  const auto client = ends.client->traffic();
  for (const size_t size : {0, 1, 31, 32, 33, 1000, 100'000}) {
    const std::string text = patterned(size);
    const OutMessage message(Frames{Slice::copy_of(text)});
    const Slice sealed = client->seal(message.pieces(), size, size % 2 == 1);
    CHECK(sealed.size == size + CurveTraffic::kOverhead);
    const Slice again = Slice::copy_of(sealed.view());  // a copy, for it is opened where it lies
    const auto [place, to] = CurveTraffic::place(sealed.size);
    std::copy_n(sealed.data, sealed.size, to);
    const auto opened = node->open(place);
    CHECK((opened.data.view() == text));
    CHECK(opened.more == (size % 2 == 1));
    CHECK_FALSE(opened.command);
    CHECK(reinterpret_cast<uintptr_t>(opened.data.data) % alignof(std::max_align_t) == 0);
    CHECK_THROWS_AS(node->open(again), Error);
  }
}

TEST_CASE("a handshake command that is cut short or too long is refused") {
  for (int which = 0; which < kCommands; ++which) {
    const size_t size = Ends().command(which).size();
    for (size_t left = 0; left < size; ++left) {
      INFO("command " << which << " cut to " << left);
      CHECK_FALSE(is_taken(which, [&](std::string& command) { command.resize(left); }));
    }
    CHECK_FALSE(is_taken(which, [&](std::string& command) { command += '\0'; }));
    CHECK(is_taken(which, [](std::string&) {}));
  }
}

// But for HELLO's padding, which nothing protects, and which does nothing.
TEST_CASE("a handshake command that is changed anywhere is refused") {
  for (int which = 0; which < kCommands; ++which) {
    const size_t size = Ends().command(which).size();
    for (size_t at = 0; at < size; ++at) {
      if (which == 0 && at >= 8 && at < 80) continue;
      INFO("command " << which << " changed at " << at);
      CHECK_FALSE(is_taken(which, [&](std::string& command) { command[at] ^= 1; }));
    }
  }
}

TEST_CASE("a key that makes every shared secret the same is refused") {
  Ends ends;
  std::string hello = ends.command(0);
  std::fill_n(hello.begin() + 80, 32, '\0');
  CHECK_THROWS_AS(ends.node->take(hello), Error);
}

TEST_CASE("no command of another connection is taken, nor one again") {
  for (int which = 1; which < kCommands; ++which) {
    Ends one;
    Ends other;
    const std::string command = one.command(which);
    other.command(which);
    CHECK_THROWS_AS(other.taker(which).take(command), Error);
  }
  Ends ends;
  const std::string ready = ends.command(3);
  ends.client->take(ready);
  CHECK_THROWS_AS(ends.client->take(ready), Error);
}

TEST_CASE("a client hears why it is refused") {
  Ends ends;
  ends.command(3);
  try {
    ends.client->take(error_command("you are not in the list"));
    FAIL("taken");
  } catch (const HandshakeRefused& refused) {
    CHECK(refused.refusal() == Refusal::kByPeer);
    CHECK(refused.what() == std::string("you are not in the list"));
  }
}

}  // namespace
}  // namespace tq::test
