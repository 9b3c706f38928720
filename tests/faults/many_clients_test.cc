// SPDX-License-Identifier: Apache-2.0
// Thousands of clients at once and one after the other: each is answered, and when they are gone
// the node has the descriptors and threads that it had before.
#include <fmt/format.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>

#include "actors/zmtp_peers.h"
#include "support/catch.h"
#include "support/up_nodes.h"
#include "transfer_queue/endpoint.h"
#include "wire/decode.h"
#include "wire/messages.h"
#include "wire/pack.h"

namespace tq::test {
namespace {

#ifdef NDEBUG
constexpr size_t kInTurn = 10'000;
#else
constexpr size_t kInTurn = 1'000;  // under sanitizers
#endif
constexpr size_t kAtOnce = 2'000;

template <class Message>
std::string bytes_of(const Message& message) {
  Texts texts;
  const wire::Frames frames = wire::pack_request("client", std::nullopt, message);
  for (const wire::Slice& frame : frames) texts.emplace_back(frame.view());
  return zmtp_message(texts);
}

std::string hello() { return zmtp_greeting() + zmtp_frame(kCommandFlag, zmtp_ready("DEALER")); }

void hear_hello(RawPeer& peer) {
  peer.hear(zmtp_greeting().size());
  peer.hear_frame();
}

// The next message: its type, and of its buffers the first.
bool hears(RawPeer& peer, std::string_view type, std::string_view buffer = {}) {
  wire::Frames frames = {wire::Slice::copy_of(peer.hear_frame())};
  if (!buffer.empty()) {
    frames.push_back(wire::Slice::copy_of(peer.hear_frame()));
    if (frames[1].view() != buffer) return false;
  }
  Result<wire::Envelope> reply = wire::decode(frames, wire::Limits{});
  return reply.ok() && reply->request_type == type;
}

struct Load {
  ptrdiff_t descriptors = 0;
  int threads = 0;
  auto operator<=>(const Load&) const = default;
};

Load load_of(pid_t process) {
  Load load;
  const std::filesystem::path proc = fmt::format("/proc/{}", process);
  load.descriptors = std::distance(std::filesystem::directory_iterator(proc / "fd"), {});
  std::ifstream status(proc / "status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Threads:")) load.threads = std::stoi(line.substr(8));
  }
  return load;
}

// The nodes of a test, and a peer that stays.
struct Nodes {
  UpNodes up{TQ_PROGRAM};
  int controller = port_of("controller.json", "request_handle_socket");
  int unit = port_of("storage-0.json", "put_get_socket");

  int port_of(const char* file, std::string_view socket) const {
    const std::string endpoint = ServerInfo::read(up.folder() / file).endpoint(socket);
    return std::stoi(endpoint.substr(endpoint.rfind(':') + 1));
  }

  // A node notices the end of a connection in a turn of its loop. Each try makes it turn, so no
  // time is waited for: a peer asks, and is answered after what came before.
  Load settled(const Load& floor) {
    Load now = load_of(up.process());
    for (int tries = 0; tries < 10'000 && now > floor; ++tries) {
      check_served();
      now = load_of(up.process());
    }
    return now;
  }
  void check_served() {
    controller_peer.say(bytes_of(wire::GetListPartitions{}));
    REQUIRE(hears(controller_peer, wire::ListPartitionsResponse::kType));
    unit_peer.say(bytes_of(wire::GetMetrics{}));
    REQUIRE(hears(unit_peer, wire::MetricsResponse::kType));
  }

  RawPeer controller_peer = greeted(controller);
  RawPeer unit_peer = greeted(unit);
  static RawPeer greeted(int port) {
    RawPeer peer = RawPeer::to(port);
    peer.shake_hands("DEALER");
    return peer;
  }
};

TEST_CASE("2,000 clients that connect at once are each answered") {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  REQUIRE(files.rlim_cur > kAtOnce + 100);  // this process holds the other ends
  Nodes nodes;
  nodes.check_served();
  const Load floor = load_of(nodes.up.process());
  {
    std::vector<RawPeer> peers;
    for (size_t i = 0; i < kAtOnce; ++i) {
      peers.push_back(RawPeer::to(i % 2 == 0 ? nodes.controller : nodes.unit));
    }
    for (size_t i = 0; i < peers.size(); ++i) {
      peers[i].say(hello() + (i % 2 == 0 ? bytes_of(wire::GetListPartitions{})
                                         : bytes_of(wire::GetMetrics{})));
    }
    size_t answered = 0;
    for (size_t i = 0; i < peers.size(); ++i) {
      hear_hello(peers[i]);
      answered += hears(peers[i], i % 2 == 0 ? wire::ListPartitionsResponse::kType
                                             : wire::MetricsResponse::kType)
                      ? 1
                      : 0;
    }
    CHECK(answered == kAtOnce);
  }
  CHECK(nodes.settled(floor) == floor);
  CHECK(nodes.up.stop() == 0);
}

TEST_CASE("10,000 clients that come and go are each answered, and leave nothing") {
  Nodes nodes;
  nodes.check_served();
  const Load floor = load_of(nodes.up.process());
  size_t answered = 0;
  for (size_t i = 0; i < kInTurn; ++i) {
    RawPeer peer = RawPeer::to(nodes.controller);
    peer.say(hello() + bytes_of(wire::GetListPartitions{}));
    if (i % 10 == 9) {
      peer.reset();  // some do not wait for the answer
      ++answered;
      continue;
    }
    hear_hello(peer);
    answered += hears(peer, wire::ListPartitionsResponse::kType) ? 1 : 0;
    peer.reset();  // or the machine runs out of ports
  }
  CHECK(answered == kInTurn);
  CHECK(nodes.settled(floor) == floor);
  CHECK(nodes.up.stop() == 0);
}

// Of eight readers one takes its rows only at the end; the others are not held up by it.
TEST_CASE("a slow reader beside fast ones") {
  constexpr size_t kRowBytes = 4 * kMiB;
  Nodes nodes;
  const std::string row = patterned(kRowBytes);
  const wire::Tensor tensor{
      wire::DType::uint8, {1, static_cast<int64_t>(kRowBytes)}, wire::Slice::copy_of(row)};
  nodes.unit_peer.say(bytes_of(wire::PutData{{0}, wire::Map{{"x", tensor}}, {}}));
  REQUIRE(hears(nodes.unit_peer, wire::PutDataResponse::kType));
  const std::string get = bytes_of(wire::GetData{{"x"}, {0}});
  const auto takes_row = [&](RawPeer& peer) {
    return hears(peer, wire::GetDataResponse::kType, row);
  };
  RawPeer slow = Nodes::greeted(nodes.unit);
  constexpr size_t kUnread = 50;
  for (size_t i = 0; i < kUnread; ++i) slow.say(get);
  std::vector<RawPeer> fast;
  for (int i = 0; i < 7; ++i) fast.push_back(Nodes::greeted(nodes.unit));
  size_t taken = 0;
  for (size_t round = 0; round < 10; ++round) {
    for (RawPeer& peer : fast) peer.say(get);
    for (RawPeer& peer : fast) taken += takes_row(peer) ? 1 : 0;
  }
  CHECK(taken == 10 * fast.size());
  size_t late = 0;
  for (size_t i = 0; i < kUnread; ++i) late += takes_row(slow) ? 1 : 0;
  CHECK(late == kUnread);
  CHECK(nodes.up.stop() == 0);
}

}  // namespace
}  // namespace tq::test
