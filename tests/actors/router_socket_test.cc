// SPDX-License-Identifier: Apache-2.0
// A RouterSocket in the hands of the test, turn by turn: what its owner is told, and what peers may
// make it keep.
#include "runtime/router_socket.h"

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <future>
#include <sstream>

#include "support/catch.h"
#include "zmtp_peers.h"

namespace tq::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using runtime::Incoming;
using runtime::RouterSocket;
using runtime::SendResult;

class Turns {
 public:
  /// Serves the connections until `done`, or throws.
  template <class Done>
  void until(Done&& done) {
    const auto give_up = Clock::now() + std::chrono::milliseconds(kPatienceMs);
    while (!done()) {
      if (Clock::now() > give_up) throw std::runtime_error("it does not come");
      poller.wait(100);
    }
  }
  Incoming next() {
    until([&] { return socket->has_message(); });
    return std::move(*socket->receive());
  }
  /// A peer of which the socket has a request.
  std::pair<RawPeer, runtime::PeerName> peer() {
    RawPeer raw = RawPeer::to(socket->port());
    raw.say(zmtp_greeting() + zmtp_frame(kCommandFlag, zmtp_ready("DEALER")) +
            zmtp_frame(kLastFlag, "request"));
    return {std::move(raw), next().peer};
  }

  runtime::Poller poller;
  runtime::InFlight in_flight;
  std::unique_ptr<RouterSocket> socket = std::make_unique<RouterSocket>(
      poller, "socket", runtime::SocketOptions{}, wire::Limits{}, in_flight);
};

// The kernel may tell of the end a moment later, so this is tried until it told in time.
TEST_CASE("a reply that its connection refuses was not sent") {
  Turns turns;
  const auto give_up = Clock::now() + 30s;
  SendResult result = SendResult::kSent;
  while (result == SendResult::kSent && Clock::now() < give_up) {
    auto [raw, name] = turns.peer();
    raw.reset();
    result = turns.socket->send(name, frames_of({"reply"}));
  }
  CHECK(result == SendResult::kPeerGone);
}

std::string numbered(size_t number) { return network_order(number, 8) + std::string(92, 'x'); }

TEST_CASE("a peer that sends faster than it is served waits, and loses nothing") {
  constexpr size_t kMessages = 200'000;
  Turns turns;
  auto [raw, name] = turns.peer();
  std::string bytes;
  for (size_t i = 0; i < kMessages; ++i) bytes += zmtp_frame(kLastFlag, numbered(i));
  std::string_view left = bytes;
  const auto push = [&, &raw = raw] {
    const ssize_t sent = ::send(raw.descriptor(), left.data(), std::min<size_t>(left.size(), 65536),
                                MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) left.remove_prefix(static_cast<size_t>(sent));
  };
  for (int i = 0; i < 1000; ++i) {
    push();
    turns.poller.wait(0);
  }
  size_t received = 0;
  const auto take_all = [&] {
    while (const std::optional<Incoming> incoming = turns.socket->receive()) {
      if (incoming->frames.at(0).view() == numbered(received)) ++received;
    }
  };
  take_all();
  CHECK(received >= 1000);    // libzmq's default high water mark,
  CHECK(received <= 10'000);  // and what one turn reads
  turns.until([&] {
    push();
    take_all();
    return received == kMessages;
  });
}

TEST_CASE("a peer that sends faster than it is served does not keep others out") {
  Turns turns;
  auto [fast, fast_name] = turns.peer();
  auto [other, other_name] = turns.peer();
  std::string many;
  for (int i = 0; i < 20'000; ++i) many += zmtp_frame(kLastFlag, "many");
  fast.say(many);
  other.say(zmtp_frame(kLastFlag, "one"));
  size_t before = 0;
  while (turns.next().peer.connection != other_name.connection) ++before;
  CHECK(before <= 20'000);
}

std::future<std::string> read_reply(RawPeer peer) {
  return std::async(std::launch::async, [peer = std::move(peer)]() mutable {
    peer.hear(zmtp_greeting().size());
    peer.hear_frame();
    return peer.hear_frame();
  });
}

TEST_CASE("when a socket closes, one who does not read its reply takes nobody's time") {
  Turns turns;
  const Slice large = Slice::own(patterned(8 * kMiB));  // more than the kernel holds
  std::vector<std::pair<RawPeer, runtime::PeerName>> peers;
  for (int i = 0; i < 6; ++i) peers.push_back(turns.peer());
  for (auto& [raw, name] : peers) {
    CHECK(turns.socket->send(name, Frames{large}) == SendResult::kSent);
  }
  std::vector<std::future<std::string>> replies;
  for (size_t i = 0; i < peers.size(); i += 2) {
    replies.push_back(read_reply(std::move(peers[i].first)));
  }
  turns.socket.reset();
  for (auto& reply : replies) CHECK((reply.get() == large.view()));
}

/// All that is logged meanwhile.
class Log {
 public:
  Log() {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_)));
    spdlog::set_level(spdlog::level::debug);
  }
  ~Log() { spdlog::set_default_logger(before_); }
  std::string text() const { return text_.str(); }

 private:
  const std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
  std::ostringstream text_;
};

TEST_CASE("what a refused peer says stays in one line of the log, and a short one") {
  const std::string text = "x\n[error] forged\x1b[2J" + std::string(100'000, 'y');
  const std::string ready = GENERATE_REF(zmtp_ready(text), zmtp_ready("DEALER", text),
                                         "\x05"
                                         "ERROR\x10" +
                                             text.substr(0, 16),
                                         "\x05READY" + text);
  Log log;
  Turns turns;
  RawPeer raw = RawPeer::to(turns.socket->port());
  raw.say(zmtp_greeting() + zmtp_frame(kCommandFlag, ready));
  turns.until([&] { return !log.text().empty(); });
  const std::string line = log.text();
  CHECK(std::count(line.begin(), line.end(), '\n') == 1);
  CHECK(line.find('\x1b') == std::string::npos);
  CHECK(line.size() < 5000);
}

}  // namespace
}  // namespace tq::test
