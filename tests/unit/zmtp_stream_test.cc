// SPDX-License-Identifier: Apache-2.0
// One connection, its peer being the other end of a socket pair that a test writes and reads by
// hand: which bytes become messages, and what a peer may make it keep.
#include "zmtp/stream.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "support/catch.h"
#include "support/zmtp_bytes.h"

namespace tq::test {
namespace {

using namespace std::string_literals;
using zmtp::SocketType;
using zmtp::Stream;

constexpr zmtp::StreamLimits kLimits{1 << 20, 3};

/// A stream and the peer at its other end.
class Pair {
 public:
  explicit Pair(SocketType own = SocketType::kRouter) : Pair(make_pair(), own) {}

  /// What the stream makes of the bytes.
  std::vector<Frames> say(std::string_view bytes) {
    std::vector<Frames> messages;
    while (!bytes.empty()) {
      const ssize_t sent =
          ::send(peer_.number(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
      if (sent < 0 && errno != EAGAIN) break;  // the stream is closed
      stream.read(messages);
    }
    while (count_readable() > 0) stream.read(messages);
    return messages;
  }
  void shake_hands() { say(zmtp_greeting() + zmtp_frame(kCommandFlag, zmtp_ready("DEALER"))); }
  /// All that the stream wrote and writes until it has nothing left.
  std::string hear() {
    std::string heard;
    std::array<char, 4096> bytes;
    for (ssize_t got = 1; got > 0 || stream.wants_to_write();) {
      stream.write();
      got = ::recv(peer_.number(), bytes.data(), bytes.size(), MSG_DONTWAIT);
      if (got > 0) heard.append(bytes.data(), static_cast<size_t>(got));
    }
    return heard;
  }

  Stream stream;

 private:
  static std::array<int, 2> make_pair() {
    std::array<int, 2> ends;
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
    return ends;
  }
  Pair(std::array<int, 2> ends, SocketType own)
      : stream(zmtp::Descriptor(ends[0]), own, kLimits, "own"), peer_(ends[1]) {}

  int count_readable() const {
    char byte;
    if (stream.is_closed()) return 0;
    return static_cast<int>(::recv(stream.descriptor(), &byte, 1, MSG_PEEK | MSG_DONTWAIT));
  }

  zmtp::Descriptor peer_;
};

std::vector<std::string> texts(const Frames& frames) {
  std::vector<std::string> result;
  for (const Slice& frame : frames) result.emplace_back(frame.view());
  return result;
}

TEST_CASE("both ends of a connection say greeting, READY and then messages") {
  Pair pair(SocketType::kDealer);
  pair.stream.send(Frames{Slice::copy_of("held"), Slice::copy_of("back")});
  CHECK(pair.stream.unsent_messages() == 1);
  // READY says nothing that depends on the peer, so it does not wait for the peer's greeting.
  CHECK(pair.hear() == zmtp_greeting() + zmtp_frame(kCommandFlag, zmtp_ready("DEALER", "own")));
  CHECK(pair.say(zmtp_greeting()).empty());
  CHECK(pair.hear().empty());
  CHECK_FALSE(pair.stream.is_ready());
  pair.say(zmtp_frame(kCommandFlag, zmtp_ready("ROUTER", "peer")));
  CHECK(pair.stream.is_ready());
  CHECK(pair.stream.peer_identity() == "peer");
  CHECK(pair.hear() == zmtp_frame(kMoreFlag, "held") + zmtp_frame(kLastFlag, "back"));
  CHECK(pair.stream.unsent_messages() == 0);
}

TEST_CASE("greeting, READY and the first message may come in one piece") {
  Pair pair;
  const std::vector<Frames> messages =
      pair.say(zmtp_greeting() + zmtp_frame(kCommandFlag, zmtp_ready("DEALER")) +
               zmtp_frame(kMoreFlag, "") + zmtp_frame(kLastFlag, "body"));
  REQUIRE(messages.size() == 1);
  CHECK(texts(messages[0]) == std::vector<std::string>{"", "body"});
}

TEST_CASE("commands are no part of a message, wherever they come") {
  Pair pair;
  pair.shake_hands();
  pair.hear();
  const std::string commands = zmtp_frame(kCommandFlag, "\x04PING\0\0"s + "abc") +
                               zmtp_frame(kCommandFlag, "\x07UNKNOWN") +
                               zmtp_frame(kCommandFlag, "") + zmtp_frame(kCommandFlag, "\xff");
  const std::vector<Frames> messages =
      pair.say(commands + zmtp_frame(kMoreFlag, "first") + commands +
               zmtp_frame(kLastFlag, "last") + commands);
  REQUIRE(messages.size() == 1);
  CHECK(texts(messages[0]) == std::vector<std::string>{"first", "last"});
  const std::string pong = zmtp_frame(kCommandFlag, "\x04PONGabc");
  CHECK(pair.hear() == pong + pong + pong);
}

TEST_CASE("a message may have as many frames as the limit, and none more") {
  Pair pair;
  pair.shake_hands();
  const std::string two = zmtp_frame(kMoreFlag, "1") + zmtp_frame(kMoreFlag, "2");
  CHECK(pair.say(two + zmtp_frame(kLastFlag, "3")).size() == 1);
  CHECK(pair.say(two + zmtp_frame(kLastFlag, "3")).size() == 1);  // each message anew
  CHECK(pair.say(two + zmtp_frame(kMoreFlag, "3") + zmtp_frame(kLastFlag, "4")).empty());
  CHECK(pair.stream.is_closed());
}

TEST_CASE("what breaks the protocol closes the connection") {
  const std::string hands = zmtp_greeting() + zmtp_frame(kCommandFlag, zmtp_ready("DEALER"));
  const std::string bytes =
      GENERATE_COPY(std::string(64, 'x'), zmtp_greeting(2), zmtp_greeting(3, 1, "CURVE"),
                    zmtp_greeting() + zmtp_frame(kLastFlag, "too early"),
                    zmtp_greeting() + zmtp_frame(kCommandFlag, zmtp_ready("PUB")),
                    zmtp_greeting() + zmtp_frame(kCommandFlag, ""), hands + "\x08",
                    hands + zmtp_header(kLastFlag, (1 << 20) + 1));
  Pair pair;
  CHECK(pair.say(bytes).empty());
  CHECK(pair.stream.is_closed());
  CHECK(pair.stream.why_closed() != "");
  CHECK_FALSE(pair.stream.wants_to_write());
}

// As when a connection to a free port of this machine gets that very port as its own.
TEST_CASE("a connection that hears itself is closed") {
  Pair pair(SocketType::kDealer);
  pair.say(zmtp_greeting() + zmtp_frame(kCommandFlag, zmtp_ready("DEALER", "own")));
  CHECK(pair.stream.is_closed());
  CHECK(pair.stream.why_closed().find("itself") != std::string::npos);
  Pair other(SocketType::kDealer);
  other.say(zmtp_greeting() + zmtp_frame(kCommandFlag, zmtp_ready("DEALER", "other")));
  CHECK(other.stream.is_ready());
}

TEST_CASE("a peer that sends PING without end and reads nothing takes no memory") {
  Pair pair;
  pair.shake_hands();
  constexpr size_t kPings = 1000;
  std::string pings;
  for (size_t i = 0; i < kPings; ++i) {
    pings += zmtp_frame(kCommandFlag, "\x04PING\0\0"s + std::string(16, 'c'));
  }
  const size_t bytes_sent = 200 * pings.size();
  for (int i = 0; i < 200; ++i) pair.say(pings);
  // What the kernel held of the answers, and few more; all of them would be as many as the PINGs.
  CHECK(pair.hear().size() < bytes_sent / 4);
  CHECK_FALSE(pair.stream.is_closed());
  pair.say(zmtp_frame(kCommandFlag, "\x04PING\0\0"s + "again"));
  CHECK(pair.hear() == zmtp_frame(kCommandFlag, "\x04PONGagain"));
}

}  // namespace
}  // namespace tq::test
