// SPDX-License-Identifier: Apache-2.0
// libzmq's sockets as peers of a node: what they send and get, byte for byte, and to whom replies
// go when peers share a name or come back.
#include <map>

#include "router_node.h"
#include "runtime/event_loop.h"
#include "support/catch.h"
#include "wire/pack.h"
#include "zmtp_peers.h"

namespace tq::test {
namespace {

using runtime::Incoming;
using runtime::RouterSocket;
using wire::Value;

zmq::socket_t client_of(zmq::context_t& context, const std::string& endpoint,
                        zmq::socket_type type = zmq::socket_type::dealer,
                        const std::string& identity = "") {
  zmq::socket_t socket = patient_socket(context, type);
  if (!identity.empty()) socket.set(zmq::sockopt::routing_id, identity);
  socket.connect(endpoint);
  return socket;
}

Texts ask(zmq::socket_t& socket, const Texts& texts) {
  send_texts(socket, texts);
  return receive_texts(socket);
}

TEST_CASE("libzmq's DEALER and REQ get messages of any frames and sizes back as they were") {
  const auto type = GENERATE(zmq::socket_type::dealer, zmq::socket_type::req);
  RouterNode node;
  zmq::context_t context;
  zmq::socket_t client = client_of(context, node.endpoint(), type);
  for (const Texts& message : messages_of_all_kinds()) {
    CHECK((ask(client, message) == message));  // not printed: megabytes
  }
}

TEST_CASE("messages of libzmq's DEALER that overtake no reply come back in order") {
  RouterNode node;
  zmq::context_t context;
  zmq::socket_t client = client_of(context, node.endpoint());
  for (const Texts& message : messages_of_all_kinds()) send_texts(client, message);
  for (const Texts& message : messages_of_all_kinds()) CHECK((receive_texts(client) == message));
}

TEST_CASE("many of libzmq's DEALERs at once each get their own") {
  RouterNode node;
  zmq::context_t context;
  std::vector<zmq::socket_t> clients;
  for (int i = 0; i < 32; ++i) clients.push_back(client_of(context, node.endpoint()));
  for (uint32_t round = 0; round < 20; ++round) {
    for (uint32_t i = 0; i < clients.size(); ++i) {
      send_texts(clients[i], {std::to_string(i), patterned(10'000, i + round)});
    }
    for (uint32_t i = 0; i < clients.size(); ++i) {
      CHECK((receive_texts(clients[i]) == Texts{std::to_string(i), patterned(10'000, i + round)}));
    }
  }
}

/// Replies with the body it got.
class EchoActor : public runtime::Actor {
 public:
  const std::string& id() const override { return id_; }
  runtime::Outcome handle(runtime::Request& request, runtime::TimePoint) override {
    return reply(request.envelope.body);
  }
  runtime::Reply undecodable(const Error& error) override { return reply(Value(error.what())); }

 private:
  static runtime::Reply reply(const Value& body) {
    return {wire::pack_message({"ECHO", "ECHO", std::nullopt},
                               [&](wire::Encoder& encoder) { encoder.value(body); }),
            {}};
  }
  std::string id_ = "ECHO";
};

wire::Frames tensors_message(const std::vector<size_t>& sizes) {
  wire::Array tensors;
  for (const size_t size : sizes) {
    tensors.push_back(wire::Tensor{
        wire::DType::uint8, {static_cast<int64_t>(size)}, Slice::copy_of(patterned(size))});
  }
  return wire::pack_message({"ASK", "client", std::nullopt},
                            [&](wire::Encoder& encoder) { encoder.value(Value(tensors)); });
}

TEST_CASE("libzmq's DEALER gets tensors back from an event loop as they were") {
  EchoActor actor;
  runtime::EventLoop loop(actor, {}, {});
  const int port = loop.listen("socket", {runtime::BindAddress{}, 16, {}}).port();
  std::thread thread([&] { loop.run(); });
  zmq::context_t context;
  zmq::socket_t client = client_of(context, tcp_endpoint("127.0.0.1", port));
  for (const std::vector<size_t>& sizes : {std::vector<size_t>{1},
                                           {255, 256, 65535, 65536},
                                           {kMiB + 1, 1, 3 * kMiB},
                                           std::vector<size_t>(500, 40'000),
                                           {20 * kMiB}}) {
    const Texts sent = texts_of(tensors_message(sizes));
    const Texts reply = ask(client, sent);
    REQUIRE(reply.size() == sent.size());
    REQUIRE(sent.size() == sizes.size() + 1);
    for (size_t i = 1; i < sent.size(); ++i) CHECK((reply[i] == sent[i]));
  }
  loop.stop();
  thread.join();
}

/// What libzmq reports of a socket's connections.
class Monitor {
 public:
  Monitor(zmq::context_t& context, zmq::socket_t& socket) : events_(context, ZMQ_PAIR) {
    constexpr int kEvents = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED;
    REQUIRE(zmq_socket_monitor(socket.handle(), "inproc://monitor", kEvents) == 0);
    events_.connect("inproc://monitor");
  }
  /// Whether that event comes within the time; others are passed over.
  bool sees(int event, int timeout_ms) {
    events_.set(zmq::sockopt::rcvtimeo, timeout_ms);
    zmq::message_t head;
    zmq::message_t address;
    while (events_.recv(head, zmq::recv_flags::none)) {
      (void)events_.recv(address, zmq::recv_flags::none);
      uint16_t number = 0;
      std::memcpy(&number, head.data(), sizeof number);
      if (number == event) return true;
    }
    return false;
  }

 private:
  zmq::socket_t events_;
};

zmq::socket_t client_with_heartbeats(zmq::context_t& context) {
  zmq::socket_t client = patient_socket(context, zmq::socket_type::dealer);
  client.set(zmq::sockopt::heartbeat_ivl, 20);
  client.set(zmq::sockopt::heartbeat_timeout, 60);
  client.set(zmq::sockopt::reconnect_ivl, 1);
  return client;
}

// The machine may be so loaded that libzmq gives up an answered connection; hardly ever ten times.
TEST_CASE("libzmq's heartbeats keep an idle connection") {
  RouterNode node;
  zmq::context_t context;
  zmq::socket_t client = client_with_heartbeats(context);
  Monitor monitor(context, client);
  client.connect(node.endpoint());
  REQUIRE(monitor.sees(ZMQ_EVENT_HANDSHAKE_SUCCEEDED, kPatienceMs));
  bool disconnected = true;
  for (int i = 0; i < 10 && disconnected; ++i) {
    disconnected = monitor.sees(ZMQ_EVENT_DISCONNECTED, 500);
  }
  CHECK_FALSE(disconnected);
  CHECK(ask(client, {"still there"}) == Texts{"still there"});
}

TEST_CASE(
    "libzmq's heartbeats end a connection to who does not answer them") {  // the above can fail
  RawListener node;
  node.listen();
  zmq::context_t context;
  zmq::socket_t client = client_with_heartbeats(context);
  Monitor monitor(context, client);
  client.connect(tcp_endpoint("127.0.0.1", node.port()));
  RawPeer silent = node.accept();
  silent.shake_hands("ROUTER");
  CHECK(monitor.sees(ZMQ_EVENT_DISCONNECTED, kPatienceMs));
}

TEST_CASE("two clients of one identity each get their own replies") {
  RouterNode node;
  zmq::context_t context;
  zmq::socket_t first = client_of(context, node.endpoint(), zmq::socket_type::dealer, "same");
  CHECK(ask(first, {"first"}) == Texts{"first"});
  zmq::socket_t second = client_of(context, node.endpoint(), zmq::socket_type::dealer, "same");
  for (int i = 0; i < 100; ++i) {
    const std::string number = std::to_string(i);
    send_texts(first, {"first", number});
    send_texts(second, {"second", number});
    CHECK(receive_texts(second) == Texts{"second", number});
    CHECK(receive_texts(first) == Texts{"first", number});
  }
}

/// Keeps requests of one frame that say "HOLD" until one says "RELEASE"; echoes all others.
class Holder {
 public:
  void operator()(RouterSocket& socket, Incoming incoming) {
    const Texts texts = texts_of(incoming.frames);
    if (texts == Texts{"HOLD"}) return held_->push_back(std::move(incoming.peer));
    if (texts == Texts{"RELEASE"}) {
      for (const runtime::PeerName& peer : *held_) socket.send(peer, frames_of({"RELEASED"}));
      held_->clear();
    }
    RouterNode::echo(socket, std::move(incoming));
  }

 private:
  std::shared_ptr<std::vector<runtime::PeerName>> held_ =
      std::make_shared<std::vector<runtime::PeerName>>();
};

/// Sends what the node keeps, and closes the connection when the node has it.
void hold_and_leave(const RouterNode& node, const std::string& identity) {
  zmq::context_t context;  // its end waits until the connection is closed
  zmq::socket_t client = client_of(context, node.endpoint(), zmq::socket_type::dealer, identity);
  send_texts(client, {"HOLD"});
  CHECK(ask(client, {"kept?"}) == Texts{"kept?"});
}

TEST_CASE("a client that comes back under its identity gets the reply to what it left waiting") {
  RouterNode node{Holder()};
  hold_and_leave(node, "name");
  zmq::context_t context;
  zmq::socket_t back = client_of(context, node.endpoint(), zmq::socket_type::dealer, "name");
  CHECK(ask(back, {"here again"}) == Texts{"here again"});
  CHECK(ask(back, {"RELEASE"}) == Texts{"RELEASED"});
  CHECK(receive_texts(back) == Texts{"RELEASE"});
}

TEST_CASE("a reply to one who is gone goes to nobody of another identity or of none") {
  RouterNode node{Holder()};
  const std::string gone = GENERATE("name", "");
  hold_and_leave(node, gone);
  zmq::context_t context;
  zmq::socket_t other = client_of(context, node.endpoint(), zmq::socket_type::dealer, "other");
  zmq::socket_t nameless = client_of(context, node.endpoint());
  CHECK(ask(nameless, {"hello"}) == Texts{"hello"});
  CHECK(ask(other, {"RELEASE"}) == Texts{"RELEASE"});
  CHECK(ask(nameless, {"anything else?"}) == Texts{"anything else?"});
}

TEST_CASE("a client keeps its replies when a second one of its identity leaves") {
  RouterNode node{Holder()};
  zmq::context_t context;
  zmq::socket_t first = client_of(context, node.endpoint(), zmq::socket_type::dealer, "name");
  send_texts(first, {"HOLD"});
  CHECK(ask(first, {"kept?"}) == Texts{"kept?"});
  hold_and_leave(node, "name");
  zmq::socket_t other = client_of(context, node.endpoint());
  CHECK(ask(other, {"RELEASE"}) == Texts{"RELEASE"});
  CHECK(receive_texts(first) == Texts{"RELEASED"});
  CHECK(ask(first, {"hello"}) == Texts{"hello"});
}

}  // namespace
}  // namespace tq::test
