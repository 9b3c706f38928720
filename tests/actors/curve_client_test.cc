// SPDX-License-Identifier: Apache-2.0
// The client's connections with keys, to libzmq's ROUTER and to our nodes, and what a client is
// told where the two ends do not come together: at once, not at the deadline.
#include <future>

#include "await_connection.h"
#include "manager/exchange.h"
#include "router_node.h"
#include "support/catch.h"
#include "zmtp_peers.h"

namespace tq::test {
namespace {

using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using manager::Connection;
using zmtp::Curve;
using zmtp::CurveKeyPair;
using zmtp::CurvePointer;

CurvePointer client_keys(const CurveKeyPair& own, const CurveKeyPair& node) {
  return std::make_shared<Curve>(Curve{own, node.public_key, {}});
}
CurvePointer node_keys(const CurveKeyPair& own, std::vector<zmtp::CurvePublicKey> clients) {
  return std::make_shared<Curve>(Curve{own, std::nullopt, std::move(clients)});
}

runtime::SocketOptions with(CurvePointer curve) {
  runtime::SocketOptions options;
  options.curve = std::move(curve);
  return options;
}

zmq::socket_t libzmq_router(zmq::context_t& context, const CurveKeyPair& keys) {
  zmq::socket_t router = patient_socket(context, zmq::socket_type::router);
  router.set(zmq::sockopt::curve_server, true);
  router.set(zmq::sockopt::curve_secretkey, zmtp::curve_key_text(keys.secret_key.bytes));
  router.bind("tcp://127.0.0.1:*");
  return router;
}

void check_echoes(Connection& connection) {
  for (const Texts& sent : messages_of_all_kinds()) {
    connection.send(frames_of(sent));
    const std::optional<Frames> reply = await(connection);
    REQUIRE(reply.has_value());
    CHECK((texts_of(*reply) == sent));  // not printed: megabytes
  }
}

/// Why one request fails; the deadline is far.
std::string failure(int port, const CurvePointer& curve) {
  const ServerInfo node{
      std::string(ServerInfo::kStorageRole), "UNIT", "127.0.0.1", {{"socket", port}}};
  manager::ConnectionPool pool("TQ_STORAGE_test", curve);
  const wire::Frames request = wire::pack_message(
      {"ASK", "test", std::nullopt}, [](wire::Encoder& encoder) { encoder.value(wire::Array{}); });
  const auto answers = manager::exchange(pool, {{&node, "socket", request, "1", "ASK"}},
                                         std::chrono::steady_clock::now() + 1h);
  REQUIRE_FALSE(answers.at(0).ok());
  CHECK(answers.at(0).error().code() == ErrorCode::kUnavailable);
  return answers.at(0).error().what();
}

TEST_CASE("libzmq's ROUTER with keys and a connection exchange messages of any kind") {
  const auto keys = CurveKeyPair::generate();
  zmq::context_t context;
  zmq::socket_t router = libzmq_router(context, keys);
  const auto connection = Connection::open(router.get(zmq::sockopt::last_endpoint), "TQ_STORAGE_1",
                                           client_keys(CurveKeyPair::generate(), keys));
  // Checked in the test's own thread: Catch2 takes assertions of one thread at a time.
  auto echoes = std::async(std::launch::async, [&] {
    Texts senders;
    for (size_t i = 0; i < messages_of_all_kinds().size(); ++i) {
      const Texts received = receive_texts(router);
      senders.push_back(received.at(0));
      send_texts(router, received);
    }
    return senders;
  });
  check_echoes(*connection);
  CHECK(echoes.get() == Texts(messages_of_all_kinds().size(), "TQ_STORAGE_1"));
}

TEST_CASE("our own two ends exchange messages of any kind, and many at once") {
  const auto keys = CurveKeyPair::generate();
  const auto own = CurveKeyPair::generate();
  RouterNode node(RouterNode::echo, {}, with(node_keys(keys, {own.public_key})));
  const auto connection = Connection::open(node.endpoint(), "me", client_keys(own, keys));
  check_echoes(*connection);
  constexpr int kAtOnce = 50;
  for (int i = 0; i < kAtOnce; ++i)
    connection->send(frames_of({std::to_string(i), patterned(99'999)}));
  for (int i = 0; i < kAtOnce; ++i) {
    const std::optional<Frames> reply = await(*connection);
    REQUIRE(reply.has_value());
    CHECK((texts_of(*reply) == Texts{std::to_string(i), patterned(99'999)}));
  }
}

TEST_CASE("who has the node's own keys may connect") {
  const auto keys = CurveKeyPair::generate();
  RouterNode node(RouterNode::echo, {}, with(node_keys(keys, {})));
  check_echoes(*Connection::open(node.endpoint(), "me", client_keys(keys, keys)));
}

TEST_CASE("a client without keys is told at once that the node wants them, and which flags") {
  RouterNode node(RouterNode::echo, {}, with(node_keys(CurveKeyPair::generate(), {})));
  CHECK_THAT(failure(node.port(), nullptr),
             Contains("CURVE") && Contains("--curve-key") && Contains("--curve-server-key") &&
                 Contains("TQ_CURVE_KEY") && Contains("UNIT at tcp://127.0.0.1"));
}

TEST_CASE("a client with keys sends nothing to a node without") {
  RouterNode node;
  CHECK_THAT(failure(node.port(), client_keys(CurveKeyPair::generate(), CurveKeyPair::generate())),
             Contains("NULL") && Contains("start the node with --curve-key"));
}

TEST_CASE("a client that is not in the list is told so, with the key that is missing there") {
  const auto keys = CurveKeyPair::generate();
  const auto stranger = CurveKeyPair::generate();
  RouterNode node(RouterNode::echo, {}, with(node_keys(keys, {})));
  CHECK_THAT(failure(node.port(), client_keys(stranger, keys)),
             Contains(zmtp::curve_key_text(stranger.public_key)) && Contains("--curve-clients"));
}

TEST_CASE("a wrong public key of the node is told at once, by our nodes and libzmq's") {
  const auto keys = CurveKeyPair::generate();
  const auto own = CurveKeyPair::generate();
  const auto wrong = client_keys(own, CurveKeyPair::generate());
  RouterNode node(RouterNode::echo, {}, with(node_keys(keys, {own.public_key})));
  CHECK_THAT(failure(node.port(), wrong), Contains("--curve-server-key"));
  zmq::context_t context;
  zmq::socket_t router = libzmq_router(context, keys);
  const std::string endpoint = router.get(zmq::sockopt::last_endpoint);
  CHECK_THAT(failure(std::stoi(endpoint.substr(endpoint.rfind(':') + 1)), wrong),
             Contains("--curve-server-key"));
}

TEST_CASE("who pretends to be the node without its secret key gets no message") {
  RawListener fake;
  fake.listen();
  const auto connection =
      Connection::open(tcp_endpoint("127.0.0.1", fake.port()), "me",
                       client_keys(CurveKeyPair::generate(), CurveKeyPair::generate()));
  connection->send(frames_of({"secret request"}));
  auto peer = std::async(std::launch::async, [&] {
    RawPeer raw = fake.accept();
    raw.say(zmtp_greeting(3, 1, "CURVE"));
    raw.hear(zmtp_greeting().size());
    const size_t hello = raw.hear_frame().size();
    raw.say(zmtp_frame(kCommandFlag, "\x07WELCOME" + patterned(160)));
    return std::pair(hello, raw.is_closed());
  });
  CHECK_FALSE(await(*connection).has_value());
  const auto [hello, is_closed] = peer.get();
  CHECK(hello == 200);
  CHECK(is_closed);
  CHECK_FALSE(connection->reached());
  CHECK(connection->refusal() == zmtp::Refusal::kKey);
}

}  // namespace
}  // namespace tq::test
