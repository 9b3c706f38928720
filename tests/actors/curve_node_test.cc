// SPDX-License-Identifier: Apache-2.0
// A node with keys beside libzmq's CURVE, and against peers that break its rules one by one,
// written by the letter of the specification.
#include <zmq.h>

#include "router_node.h"
#include "support/catch.h"
#include "support/curve_bytes.h"
#include "zmtp_peers.h"

namespace tq::test {
namespace {

using namespace std::chrono_literals;
using runtime::RouterSocket;

RawKey secret_of(const zmtp::CurveKeyPair& pair) { return pair.secret_key.bytes; }

/// A node with keys and a client that may connect.
struct World {
  explicit World(const wire::Limits& limits = {}) : node(RouterNode::echo, limits, options()) {}

  runtime::SocketOptions options() {
    zmtp::CurvePublicKey known = client.open;
    runtime::SocketOptions options;
    options.curve = std::make_shared<zmtp::Curve>(zmtp::Curve{keys, std::nullopt, {known}});
    return options;
  }
  /// A peer whose handshake is done; its next message is number 3.
  RawPeer joined(RawCurveClient& curve) {
    RawPeer peer = greeted();
    peer.say(zmtp_frame(kCommandFlag, curve.hello()));
    curve.take_welcome(peer.hear_frame());
    peer.say(zmtp_frame(kCommandFlag, curve.initiate(client, client)));
    curve.take_ready(peer.hear_frame());
    return peer;
  }
  RawPeer greeted() {
    RawPeer peer = RawPeer::to(node.port());
    peer.say(zmtp_greeting(3, 1, "CURVE"));
    const std::string greeting = peer.hear(zmtp_greeting().size());
    CHECK(greeting.substr(12, 20) == std::string("CURVE") + std::string(15, '\0'));
    CHECK(greeting[32] == 1);  // as-server
    return peer;
  }
  /// A client that may connect is served.
  void check_serves() {
    RawCurveClient curve(keys.public_key);
    RawPeer peer = joined(curve);
    peer.say(zmtp_frame(kLastFlag, curve.message("good", 3)));
    CHECK(curve.take_message(peer.hear_frame()) == std::string("\0good", 5));
  }

  const zmtp::CurveKeyPair keys = zmtp::CurveKeyPair::generate();
  const RawKeys client;
  RouterNode node;
};

zmq::socket_t libzmq_dealer(zmq::context_t& context, const World& world, const RawKeys& own,
                            const zmtp::CurvePublicKey& server) {
  zmq::socket_t dealer = patient_socket(context, zmq::socket_type::dealer);
  dealer.set(zmq::sockopt::curve_serverkey, zmtp::curve_key_text(server));
  dealer.set(zmq::sockopt::curve_publickey, zmtp::curve_key_text(own.open));
  dealer.set(zmq::sockopt::curve_secretkey, zmtp::curve_key_text(own.secret));
  dealer.connect(world.node.endpoint());
  return dealer;
}

TEST_CASE("keys are texts that libzmq makes and reads") {
  std::array<char, 41> open{};
  std::array<char, 41> secret{};
  REQUIRE(zmq_curve_keypair(open.data(), secret.data()) == 0);
  zmtp::CurveKeyPair pair;
  pair.public_key = zmtp::read_curve_key(open.data()).value();
  pair.secret_key.bytes = zmtp::read_curve_key(secret.data()).value();
  CHECK(pair.belongs_together());
  CHECK(zmtp::curve_key_text(pair.public_key) == open.data());
  std::array<char, 41> derived{};
  const auto own = zmtp::CurveKeyPair::generate();
  REQUIRE(zmq_curve_public(derived.data(), zmtp::curve_key_text(secret_of(own)).c_str()) == 0);
  CHECK(zmtp::curve_key_text(own.public_key) == derived.data());
}

TEST_CASE("libzmq's DEALER with keys and a node exchange messages of any frames and sizes") {
  World world;
  zmq::context_t context;
  zmq::socket_t dealer = libzmq_dealer(context, world, world.client, world.keys.public_key);
  for (const Texts& sent : messages_of_all_kinds()) {
    send_texts(dealer, sent);
    CHECK((receive_texts(dealer) == sent));  // not printed: megabytes
  }
}

TEST_CASE("libzmq's heartbeats are answered under CURVE") {
  World world;
  zmq::context_t context;
  zmq::socket_t dealer = patient_socket(context, zmq::socket_type::dealer);
  dealer.set(zmq::sockopt::heartbeat_ivl, 10);
  dealer.set(zmq::sockopt::heartbeat_timeout, 20'000);
  dealer.set(zmq::sockopt::curve_serverkey, zmtp::curve_key_text(world.keys.public_key));
  dealer.set(zmq::sockopt::curve_publickey, zmtp::curve_key_text(world.client.open));
  dealer.set(zmq::sockopt::curve_secretkey, zmtp::curve_key_text(world.client.secret));
  dealer.connect(world.node.endpoint());
  for (int i = 0; i < 200; ++i) {
    send_texts(dealer, {"a", std::to_string(i)});
    CHECK(receive_texts(dealer) == Texts{"a", std::to_string(i)});
  }
  RawCurveClient curve(world.keys.public_key);
  RawPeer peer = world.joined(curve);
  peer.say(
      zmtp_frame(kLastFlag, curve.message(std::string("\x04PING\0\x0f", 7) + "context", 3, 2)));
  CHECK(curve.take_message(peer.hear_frame()) == "\x02\x04PONGcontext");
}

TEST_CASE("a client whose key is not in the list is told so, and others are served") {
  World world;
  const RawKeys stranger;
  RawCurveClient curve(world.keys.public_key);
  RawPeer peer = world.greeted();
  peer.say(zmtp_frame(kCommandFlag, curve.hello()));
  curve.take_welcome(peer.hear_frame());
  peer.say(zmtp_frame(kCommandFlag, curve.initiate(stranger, stranger)));
  const std::string error = peer.hear_frame();
  CHECK(
      error.starts_with("\x05"
                        "ERROR"));
  CHECK(error.find(zmtp::curve_key_text(stranger.open)) != std::string::npos);
  CHECK(peer.is_closed());
  zmq::context_t context;
  zmq::socket_t libzmq = libzmq_dealer(context, world, stranger, world.keys.public_key);
  send_texts(libzmq, {"never read"});
  world.check_serves();
  zmq::message_t none;
  CHECK_FALSE(libzmq.recv(none, zmq::recv_flags::dontwait));
}

TEST_CASE("who knows the public key of a client, but not its secret one, is closed") {
  World world;
  const RawKeys thief;
  RawCurveClient curve(world.keys.public_key);
  RawPeer peer = world.greeted();
  peer.say(zmtp_frame(kCommandFlag, curve.hello()));
  curve.take_welcome(peer.hear_frame());
  peer.say(zmtp_frame(kCommandFlag, curve.initiate(world.client, thief)));
  CHECK(peer.is_closed());
  world.check_serves();
}

TEST_CASE("a client that looks for another node is told so") {
  World world;
  RawCurveClient curve(RawKeys().open);
  RawPeer peer = world.greeted();
  peer.say(zmtp_frame(kCommandFlag, curve.hello()));
  CHECK(peer.hear_frame().find("public key is not the one") != std::string::npos);
  CHECK(peer.is_closed());
  world.check_serves();
}

TEST_CASE("a client without keys is closed by a node with keys, and the other way round") {
  World world;
  RawPeer plain = RawPeer::to(world.node.port());
  plain.say(zmtp_greeting() + zmtp_frame(kCommandFlag, zmtp_ready("DEALER")) +
            zmtp_frame(kLastFlag, "never read"));
  CHECK(plain.is_closed());
  world.check_serves();
  RouterNode open_node;
  RawPeer curve = RawPeer::to(open_node.port());
  curve.say(zmtp_greeting(3, 1, "CURVE"));
  CHECK(curve.is_closed());
}

TEST_CASE("a command out of its place closes the connection") {
  World world;
  RawCurveClient curve(world.keys.public_key);
  RawPeer peer = world.greeted();
  SECTION("a message first") { peer.say(zmtp_frame(kLastFlag, "\x07MESSAGE" + patterned(40))); }
  SECTION("READY of NULL") { peer.say(zmtp_frame(kCommandFlag, zmtp_ready("DEALER"))); }
  SECTION("another version") {
    peer.say(zmtp_frame(kCommandFlag, curve.hello(std::string_view("\x02\x00", 2))));
  }
  SECTION("HELLO twice") {
    peer.say(zmtp_frame(kCommandFlag, curve.hello()) + zmtp_frame(kCommandFlag, curve.hello()));
  }
  SECTION("HELLO as a message") { peer.say(zmtp_frame(kLastFlag, curve.hello())); }
  SECTION("INITIATE with an old number") {
    peer.say(zmtp_frame(kCommandFlag, curve.hello()));
    curve.take_welcome(peer.hear_frame());
    peer.say(zmtp_frame(kCommandFlag, curve.initiate(world.client, world.client, "DEALER", 1)));
  }
  SECTION("a socket that is no peer") {
    peer.say(zmtp_frame(kCommandFlag, curve.hello()));
    curve.take_welcome(peer.hear_frame());
    peer.say(zmtp_frame(kCommandFlag, curve.initiate(world.client, world.client, "PUB")));
  }
  CHECK(peer.is_closed());
  world.check_serves();
}

TEST_CASE("before its handshake a peer cannot make the node take memory") {
  World world;
  const uint64_t size = GENERATE(uint64_t{4097}, uint64_t{1} << 20, uint64_t{1} << 40);
  RawPeer peer = world.greeted();
  peer.say(zmtp_header(GENERATE(kCommandFlag, kLastFlag), size));
  CHECK(peer.is_closed());
  RawCurveClient curve(world.keys.public_key);
  RawPeer later = world.greeted();
  later.say(zmtp_frame(kCommandFlag, curve.hello()));
  curve.take_welcome(later.hear_frame());
  later.say(zmtp_header(kCommandFlag, size));
  CHECK(later.is_closed());
  world.check_serves();
}

TEST_CASE("a message that is repeated, swapped, left out, changed or cut short closes its peer") {
  World world;
  RawCurveClient curve(world.keys.public_key);
  RawPeer peer = world.joined(curve);
  const std::string first = curve.message("first", 3);
  peer.say(zmtp_frame(kLastFlag, first));
  CHECK(curve.take_message(peer.hear_frame()) == std::string("\0first", 6));
  SECTION("repeated") { peer.say(zmtp_frame(kLastFlag, first)); }
  SECTION("left out") { peer.say(zmtp_frame(kLastFlag, curve.message("x", 5))); }
  SECTION("swapped") {
    peer.say(zmtp_frame(kLastFlag, curve.message("x", 5)) +
             zmtp_frame(kLastFlag, curve.message("y", 4)));
  }
  SECTION("an old number") { peer.say(zmtp_frame(kLastFlag, curve.message("x", 2))); }
  SECTION("changed in its box") {
    std::string changed = curve.message("second", 4);
    changed.back() = static_cast<char>(changed.back() ^ 1);
    peer.say(zmtp_frame(kLastFlag, changed));
  }
  SECTION("renumbered") {
    std::string changed = first;
    changed[15] = 4;
    peer.say(zmtp_frame(kLastFlag, changed));
  }
  SECTION("of another connection") {
    RawCurveClient other(world.keys.public_key);
    RawPeer other_peer = world.joined(other);
    peer.say(zmtp_frame(kLastFlag, other.message("x", 4)));
  }
  SECTION("cut short") {
    const std::string whole = curve.message("", 4);
    peer.say(zmtp_frame(kLastFlag, whole.substr(0, GENERATE(size_t{0}, size_t{1}, size_t{8},
                                                            size_t{16}, size_t{31}, size_t{32}))));
  }
  SECTION("not encrypted") { peer.say(zmtp_frame(kLastFlag, "plain text")); }
  CHECK(peer.is_closed());
  world.check_serves();
}

TEST_CASE("the limits of messages hold under CURVE as they do without") {
  wire::Limits limits;
  limits.frame_bytes_max = 1000;
  limits.message_bytes_max = 2000;
  limits.frames_max = 3;
  World world(limits);
  RawCurveClient curve(world.keys.public_key);
  RawPeer peer = world.joined(curve);
  peer.say(zmtp_frame(kLastFlag, curve.message(patterned(1000), 3, 1)) +
           zmtp_frame(kLastFlag, curve.message(patterned(1000), 4)));
  CHECK(curve.take_message(peer.hear_frame()) == "\x01" + patterned(1000));
  CHECK(curve.take_message(peer.hear_frame()) == std::string(1, '\0') + patterned(1000));
  SECTION("a frame") { peer.say(zmtp_frame(kLastFlag, curve.message(patterned(1001), 5))); }
  SECTION("a message") {
    peer.say(zmtp_frame(kLastFlag, curve.message(patterned(1000), 5, 1)) +
             zmtp_frame(kLastFlag, curve.message(patterned(1000), 6, 1)) +
             zmtp_frame(kLastFlag, curve.message("x", 7)));
  }
  SECTION("frames") {
    for (uint64_t i = 5; i < 9; ++i) peer.say(zmtp_frame(kLastFlag, curve.message("", i, 1)));
  }
  CHECK(peer.is_closed());
  world.check_serves();
}

TEST_CASE("a peer with keys that stops in its handshake is closed in time") {
  World world;
  RawCurveClient curve(world.keys.public_key);
  RawPeer peer = world.greeted();
  peer.say(zmtp_frame(kCommandFlag, curve.hello()));
  curve.take_welcome(peer.hear_frame());
  world.node.call([](RouterSocket& socket) {
    CHECK_FALSE(socket.drop_silent(std::chrono::steady_clock::now() + 1h).has_value());
  });
  CHECK(peer.is_closed());
  world.check_serves();
}

}  // namespace
}  // namespace tq::test
