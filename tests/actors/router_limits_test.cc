// SPDX-License-Identifier: Apache-2.0
// What the peers of a node may make it keep all together, and from where they may come.
#include <future>

#include "router_node.h"
#include "support/catch.h"
#include "zmtp_peers.h"

namespace tq::test {
namespace {

RawPeer dealer(const RouterNode& node) {
  RawPeer peer = RawPeer::to(node.port());
  peer.shake_hands("DEALER");
  return peer;
}

void check_served(RawPeer& peer) {
  peer.say(zmtp_frame(kLastFlag, "question"));
  CHECK(peer.hear_frame() == "question");
}

runtime::InFlight in_flight_of(RouterNode& node) {
  runtime::InFlight found;
  node.call([&](runtime::RouterSocket&) { found = node.in_flight(); });
  return found;
}

TEST_CASE("one peer more than the limit is refused, and comes in when another leaves") {
  wire::Limits limits;
  limits.peers_max = 2;
  RouterNode node(RouterNode::echo, limits);
  RawPeer first = dealer(node);
  RawPeer second = dealer(node);
  CHECK(RawPeer::to(node.port()).is_closed());
  check_served(first);
  check_served(second);
  second.reset();
  // The node hears of the end when it hears of it; a try before that is refused.
  bool is_in = false;
  for (int tries = 0; tries < 1000 && !is_in; ++tries) {
    RawPeer third = RawPeer::to(node.port());
    third.say(zmtp_greeting() + zmtp_frame(kCommandFlag, zmtp_ready("DEALER")) +
              zmtp_frame(kLastFlag, "question"));
    is_in = !third.is_closed_before("question");
  }
  CHECK(is_in);
  check_served(first);
}

TEST_CASE("frames that are each within their limit are refused as a message that is not") {
  wire::Limits limits;
  limits.frame_bytes_max = 1000;
  limits.message_bytes_max = 2500;
  RouterNode node(RouterNode::echo, limits);
  RawPeer good = dealer(node);
  const Texts largest = {patterned(1000), patterned(1000), patterned(500)};
  for (int i = 0; i < 3; ++i) {  // and then the next message begins at 0
    good.say(zmtp_message(largest));
    CHECK(good.hear_message(3) == largest);
  }
  RawPeer bad = dealer(node);
  bad.say(zmtp_message({patterned(1000), patterned(1000), patterned(501)}));
  CHECK(bad.is_closed());
  check_served(good);
}

TEST_CASE("of more under way than the limit, who makes the node keep most is closed") {
  wire::Limits limits;
  limits.in_flight_bytes_max = 100'000;
  RouterNode node(RouterNode::echo, limits);
  RawPeer small = dealer(node);
  small.say(zmtp_header(kLastFlag, 20'000) + patterned(5000));
  RawPeer greedy = dealer(node);
  greedy.say(zmtp_header(kLastFlag, 90'000));  // announced, and perhaps never to come
  CHECK(greedy.is_closed());
  small.say(patterned(20'000).substr(5000));
  CHECK(small.hear_frame() == patterned(20'000));
  // Nothing is counted of what is over.
  small.reset();
  RawPeer next = dealer(node);
  for (int i = 0; i < 20; ++i) {
    next.say(zmtp_frame(kLastFlag, patterned(90'000)));
    CHECK(next.hear_frame() == patterned(90'000));
  }
  check_served(next);
  CHECK(in_flight_of(node).bytes == 0);
}

TEST_CASE("replies that nobody reads count, and are refused past the limit") {
  constexpr size_t kReply = 8 * kMiB;  // more than the kernel takes of several
  wire::Limits limits;
  limits.in_flight_bytes_max = 3 * kReply + 1024;  // and what ZMTP adds
  std::promise<void> refused;
  RouterNode node(
      [&](runtime::RouterSocket& socket, runtime::Incoming incoming) {
        if (socket.send(incoming.peer, frames_of({patterned(kReply)})) ==
            runtime::SendResult::kPeerFull) {
          refused.set_value();
        }
      },
      limits);
  RawPeer slow = dealer(node);
  // Each is larger than the kernel's buffers of a connection, so at most one is out of the count.
  for (int i = 0; i < 4; ++i) slow.say(zmtp_frame(kLastFlag, "give"));
  REQUIRE(refused.get_future().wait_for(std::chrono::milliseconds(kPatienceMs)) ==
          std::future_status::ready);
  CHECK(in_flight_of(node).bytes <= limits.in_flight_bytes_max);
  slow.reset();
}

TEST_CASE("only peers from allowed networks come in") {
  const auto node_for = [](const std::vector<std::string>& networks) {
    runtime::SocketOptions options;
    options.allowed = runtime::AllowedPeers::parse(networks);
    return std::make_unique<RouterNode>(RouterNode::echo, wire::Limits{}, options);
  };
  for (const auto& networks :
       {std::vector<std::string>{}, {"127.0.0.1"}, {"10.0.0.0/8", "127.0.0.0/8"}}) {
    const auto node = node_for(networks);
    RawPeer peer = dealer(*node);
    check_served(peer);
  }
  for (const auto& networks : {std::vector<std::string>{"127.0.0.2"}, {"10.0.0.0/8", "::1"}}) {
    const auto node = node_for(networks);
    RawPeer peer = RawPeer::to(node->port());
    CHECK(peer.is_closed());
  }
}

zmtp::IpAddress ipv4(unsigned char a, unsigned char b, unsigned char c, unsigned char d) {
  return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d};
}

TEST_CASE("networks as people write them") {
  const auto allowed = runtime::AllowedPeers::parse({"10.1.0.0/16", "192.0.2.7", "fd00::/8"});
  CHECK(allowed.contains(ipv4(10, 1, 0, 0)));
  CHECK(allowed.contains(ipv4(10, 1, 255, 255)));
  CHECK_FALSE(allowed.contains(ipv4(10, 2, 0, 0)));
  CHECK_FALSE(allowed.contains(ipv4(10, 0, 255, 255)));
  CHECK(allowed.contains(ipv4(192, 0, 2, 7)));
  CHECK_FALSE(allowed.contains(ipv4(192, 0, 2, 6)));
  CHECK(allowed.contains({0xfd, 0x12}));
  CHECK_FALSE(allowed.contains({0xfe, 0x12}));
  CHECK_FALSE(allowed.contains({}));
  CHECK(runtime::AllowedPeers().contains(ipv4(8, 8, 8, 8)));
  CHECK(runtime::AllowedPeers::parse({"0.0.0.0/0"}).contains(ipv4(8, 8, 8, 8)));
  CHECK_FALSE(runtime::AllowedPeers::parse({"0.0.0.0/0"}).contains({0xfd}));
  CHECK(runtime::AllowedPeers::parse({"10.1.2.0/23"}).contains(ipv4(10, 1, 3, 9)));
  CHECK_FALSE(runtime::AllowedPeers::parse({"10.1.2.0/23"}).contains(ipv4(10, 1, 4, 0)));
  CHECK(runtime::address_text(ipv4(10, 1, 2, 3)) == "10.1.2.3");
  CHECK(runtime::address_text({0xfd}) == "fd00::");
  for (const char* bad : {"", "10.1", "10.1.2.3/33", "10.1.0.0/", "10.1.0.0/x", "10.1.0.0/8 ",
                          "host", "10.1.2.3/16", "fd00::/129", "1::/0"}) {
    INFO(bad);
    CHECK_THROWS_AS(runtime::AllowedPeers::parse({bad}), Error);
  }
}

}  // namespace
}  // namespace tq::test
