// SPDX-License-Identifier: Apache-2.0
// Peers that are broken, hostile or no ZeroMQ at all, one at a time beside a client of libzmq that
// must not notice.
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <limits>

#include "router_node.h"
#include "support/catch.h"
#include "zmtp_peers.h"

namespace tq::test {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using runtime::Incoming;
using runtime::RouterSocket;
using runtime::SendResult;

wire::Limits small_limits() {
  wire::Limits limits;
  limits.frame_bytes_max = 1000;
  limits.frames_max = 3;
  return limits;
}

/// A client of libzmq that is served, or the test fails.
class GoodClient {
 public:
  explicit GoodClient(const RouterNode& node)
      : socket_(patient_socket(context_, zmq::socket_type::dealer)) {
    socket_.connect(node.endpoint());
    check_served();
  }
  void check_served() { CHECK(is_served()); }
  bool is_served() {
    const Texts message = {"good", std::to_string(++count_)};
    send_texts(socket_, message);
    return receive_texts(socket_) == message;
  }

 private:
  zmq::context_t context_;
  zmq::socket_t socket_;
  int count_ = 0;
};

std::string handshake(std::string_view type = "DEALER") {
  return zmtp_greeting() + zmtp_frame(kCommandFlag, zmtp_ready(type));
}

TEST_CASE("a peer that does not speak the protocol is closed, and others are served") {
  const std::string bytes = GENERATE(
      "GET / HTTP/1.1\r\nHost: 127.0.0.1:5555\r\nUser-Agent: curl/8.0.0\r\nAccept: */*\r\n\r\n"s,
      std::string(1000, '\0'), std::string(100'000, '\xff'), zmtp_greeting(1), zmtp_greeting(2),
      zmtp_greeting(3, 1, "CURVE"), zmtp_greeting() + "GET / HTTP/1.1\r\n\r\n",
      zmtp_greeting() + zmtp_frame(kLastFlag, "no handshake"),
      zmtp_greeting() + zmtp_frame(kCommandFlag, "\x05READY\x0bSocket-"),
      zmtp_greeting() + zmtp_frame(kCommandFlag,
                                   "\x05"
                                   "ERROR\x04no.."));
  INFO(bytes.substr(0, 100));
  RouterNode node;
  GoodClient good(node);
  RawPeer bad = RawPeer::to(node.port());
  bad.say(bytes);
  CHECK(bad.is_closed());
  good.check_served();
}

TEST_CASE("sockets that must not talk to a ROUTER are closed") {
  const std::string type = GENERATE("PUB", "SUB", "PUSH", "PULL", "PAIR", "REP", "");
  RouterNode node;
  GoodClient good(node);
  RawPeer bad = RawPeer::to(node.port());
  bad.say(handshake(type));
  CHECK(bad.is_closed());
  good.check_served();
}

TEST_CASE("libzmq's PUB gets no connection, and others are served") {
  RouterNode node;
  GoodClient good(node);
  zmq::context_t context;
  zmq::socket_t pub(context, zmq::socket_type::pub);
  pub.set(zmq::sockopt::linger, 0);
  zmq::socket_t events = patient_socket(context, zmq::socket_type::pair);
  constexpr int kFailures = ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                            ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_DISCONNECTED;
  REQUIRE(zmq_socket_monitor(pub.handle(), "inproc://events", kFailures) == 0);
  events.connect("inproc://events");
  pub.connect(node.endpoint());
  CHECK(receive_texts(events).size() == 2);  // whichever end sees it first
  good.check_served();
}

TEST_CASE("garbage after the handshake closes its connection only") {
  const std::string garbage = GENERATE(
      "\x08\x01x"s, "GET / HTTP/1.1\r\n\r\n"s, std::string(100'000, '\xff'),
      zmtp_frame(kLastFlag, "good") + "\xf0", zmtp_frame(kMoreFlag, "unfinished") + "\x80");
  RouterNode node;
  GoodClient good(node);
  RawPeer bad = RawPeer::to(node.port());
  bad.shake_hands("DEALER");
  bad.say(garbage);
  CHECK(bad.is_closed());
  good.check_served();
}

TEST_CASE("a frame beyond the limit closes its connection only, before its bytes come") {
  RouterNode node(RouterNode::echo, small_limits());
  GoodClient good(node);
  RawPeer within = RawPeer::to(node.port());
  within.shake_hands("DEALER");
  within.say(zmtp_frame(kLastFlag, patterned(1000)));
  CHECK(within.hear_frame() == patterned(1000));
  const uint64_t size = GENERATE(uint64_t{1001}, uint64_t{1} << 40, uint64_t{1} << 63, UINT64_MAX);
  RawPeer bad = RawPeer::to(node.port());
  bad.shake_hands("DEALER");
  bad.say(zmtp_header(GENERATE(kLastFlag, kMoreFlag, kCommandFlag), size));
  CHECK(bad.is_closed());
  within.say(zmtp_frame(kLastFlag, "again"));
  CHECK(within.hear_frame() == "again");
  good.check_served();
}

TEST_CASE("more frames than the limit close their connection only") {
  RouterNode node(RouterNode::echo, small_limits());
  GoodClient good(node);
  zmq::context_t context;
  zmq::socket_t libzmq = patient_socket(context, zmq::socket_type::dealer);
  libzmq.connect(node.endpoint());
  send_texts(libzmq, {"1", "2", "3"});
  CHECK(receive_texts(libzmq) == Texts{"1", "2", "3"});
  RawPeer bad = RawPeer::to(node.port());
  bad.shake_hands("DEALER");
  bad.say(zmtp_message({"1", "2", "3", "4"}));
  CHECK(bad.is_closed());
  send_texts(libzmq, {"1", "2", "3", "4"});  // libzmq connects anew
  send_texts(libzmq, {"after"});
  good.check_served();
}

TEST_CASE("who does not say in time what it is is closed; who did may be silent for ever") {
  const std::string said = GENERATE(
      ""s, "\xff"s, "GET / HTTP/1.0\r\n\r\n"s, zmtp_greeting().substr(0, 32), zmtp_greeting(),
      zmtp_greeting() + zmtp_frame(kCommandFlag, zmtp_ready("DEALER")).substr(0, 20));
  RouterNode node;
  GoodClient good(node);
  RawPeer silent = RawPeer::to(node.port());
  silent.say(said);
  if (said.size() < zmtp_greeting().size()) {
    silent.hear(zmtp_greeting().size());  // so it was accepted
  } else {
    silent.hear(zmtp_greeting().size() + zmtp_frame(kCommandFlag, zmtp_ready("ROUTER")).size());
  }
  good.check_served();
  node.call([](RouterSocket& socket) {
    const auto now = std::chrono::steady_clock::now();
    CHECK(socket.drop_silent(now).has_value());
    CHECK_FALSE(socket.drop_silent(now + 1h).has_value());
  });
  CHECK(silent.is_closed());
  good.check_served();
}

TEST_CASE("a peer that takes its time between bytes is understood") {
  RouterNode node;
  GoodClient good(node);
  RawPeer slow = RawPeer::to(node.port());
  for (const char c : handshake() + zmtp_message({"slow", ""})) {
    slow.say({&c, 1});
    good.check_served();
  }
  slow.hear(zmtp_greeting().size());
  slow.hear_frame();
  CHECK(slow.hear_message(2) == Texts{"slow", ""});
}

/// Answers "BIG" with 64 KiB and counts what became of the answers; echoes all others.
class BigReplies {
 public:
  void operator()(RouterSocket& socket, Incoming incoming) {
    if (texts_of(incoming.frames) != Texts{"BIG"}) {
      return RouterNode::echo(socket, std::move(incoming));
    }
    const SendResult result = socket.send(incoming.peer, Frames{counts->big});
    if (result == SendResult::kSent) ++counts->sent;
    if (result == SendResult::kPeerFull) ++counts->refused;
  }

  struct Counts {
    Slice big = Slice::own(patterned(65536));
    std::atomic<size_t> sent = 0;
    std::atomic<size_t> refused = 0;
  };
  std::shared_ptr<Counts> counts = std::make_shared<Counts>();
};

void wait_until_handled(GoodClient& good, const BigReplies::Counts& counts, size_t requests) {
  while (counts.sent + counts.refused < requests) good.check_served();
}

TEST_CASE("a peer that never reads its replies is refused after its limit, and others are served") {
  constexpr size_t kRequests = 3000;
  BigReplies replies;
  RouterNode node(replies);
  GoodClient good(node);
  RawPeer lazy = RawPeer::to(node.port());
  lazy.shake_hands("DEALER");
  for (size_t i = 0; i < kRequests; ++i) lazy.say(zmtp_frame(kLastFlag, "BIG"));
  wait_until_handled(good, *replies.counts, kRequests);
  const size_t sent = replies.counts->sent;
  CHECK(sent >= 1000);  // libzmq's default high water mark, and what the kernel took
  CHECK(replies.counts->refused > 0);
  // It wakes up: what was not refused is there, whole and in order, and it is served again.
  for (size_t i = 0; i < sent; ++i) CHECK((lazy.hear_frame() == replies.counts->big.view()));
  lazy.say(zmtp_frame(kLastFlag, "awake"));
  CHECK(lazy.hear_frame() == "awake");
  good.check_served();
}

TEST_CASE("a peer that reads nothing and leaves frees what was kept for it") {
  BigReplies replies;
  RouterNode node(replies);
  GoodClient good(node);
  {
    RawPeer lazy = RawPeer::to(node.port());
    lazy.shake_hands("DEALER");
    for (int i = 0; i < 500; ++i) lazy.say(zmtp_frame(kLastFlag, "BIG"));
    wait_until_handled(good, *replies.counts, 500);
    CHECK(replies.counts->big.owner.use_count() > 1);
  }
  // The kernel tells the node in its own time.
  const auto give_up = std::chrono::steady_clock::now() + 30s;
  while (replies.counts->big.owner.use_count() > 1 && std::chrono::steady_clock::now() < give_up) {
    good.check_served();
  }
  CHECK(replies.counts->big.owner.use_count() == 1);
}

/// Takes every descriptor that the process may still open, and gives them back.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = std::min<rlim_t>(before_.rlim_cur, 1024);
    ::setrlimit(RLIMIT_NOFILE, &few);
    for (int taken = ::dup(0); taken >= 0; taken = ::dup(0)) taken_.push_back(taken);
  }
  ~NoDescriptors() {
    for (const int taken : taken_) ::close(taken);
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }
  bool any_taken() const { return !taken_.empty(); }

 private:
  rlimit before_{};
  std::vector<int> taken_;
};

TEST_CASE("without descriptors a node serves its old peers and refuses new ones, then takes them") {
  RouterNode node;
  GoodClient good(node);
  RawPeer old = RawPeer::to(node.port());
  old.shake_hands("DEALER");
  std::vector<RawPeer> refused(5);
  bool any_taken = false;
  int closed = 0;
  int served = 0;
  {
    const NoDescriptors none;
    any_taken = none.any_taken();
    for (RawPeer& peer : refused) {
      peer.connect(node.port());
      closed += peer.is_closed() ? 1 : 0;
      old.say(zmtp_frame(kLastFlag, "old"));
      served += old.hear_frame() == "old" && good.is_served() ? 1 : 0;
    }
  }
  CHECK(any_taken);
  CHECK(closed == 5);
  CHECK(served == 5);
  RawPeer later = RawPeer::to(node.port());
  later.shake_hands("DEALER");
  later.say(zmtp_frame(kLastFlag, "later"));
  CHECK(later.hear_frame() == "later");
  good.check_served();
}

TEST_CASE("peers that come and go at once leave the node alive") {
  RouterNode node;
  GoodClient good(node);
  for (int i = 0; i < 300; ++i) {
    RawPeer passing = RawPeer::to(node.port());
    const std::string bytes = handshake() + zmtp_message({"request", "of", "several frames"});
    passing.say(std::string_view(bytes).substr(0, static_cast<size_t>(i) % bytes.size()));
    if (i % 2 == 0) passing.reset();
  }
  good.check_served();
}

}  // namespace
}  // namespace tq::test
