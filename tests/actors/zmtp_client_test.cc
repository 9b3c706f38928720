// SPDX-License-Identifier: Apache-2.0
// The client's connections and its exchange with nodes that are libzmq's ROUTER, or that a test
// writes by hand to break them at a chosen byte.
#include <future>

#include "await_connection.h"
#include "manager/connection.h"
#include "manager/exchange.h"
#include "support/catch.h"
#include "transfer_queue/endpoint.h"
#include "wire/pack.h"
#include "zmtp_peers.h"

namespace tq::test {
namespace {

using namespace std::chrono_literals;
using manager::Answer;
using manager::Connection;
using wire::Value;

ServerInfo node_at(int port) {
  return {std::string(ServerInfo::kStorageRole), "UNIT", "127.0.0.1", {{"socket", port}}};
}

/// A message of TransferQueue whose frames are a header and these tensors' bytes.
wire::Frames message(const char* type, const Texts& tensors = {}) {
  wire::Array body;
  for (const std::string& bytes : tensors) {
    body.push_back(wire::Tensor{
        wire::DType::uint8, {static_cast<int64_t>(bytes.size())}, Slice::copy_of(bytes)});
  }
  return wire::pack_message({type, "test", std::nullopt},
                            [&](wire::Encoder& encoder) { encoder.value(Value(body)); });
}

/// An exchange on a thread of its own, so that the test can be the node.
class Exchange {
 public:
  explicit Exchange(manager::ConnectionPool& pool, std::vector<ServerInfo> nodes,
                    const wire::Frames& request = message("ASK"))
      : nodes_(std::move(nodes)) {
    std::vector<manager::Outgoing> requests;
    for (const ServerInfo& node : nodes_) {
      requests.push_back({&node, "socket", request, manager::new_request_id(), "ASK"});
    }
    answers_ = std::async(std::launch::async, [&pool, requests = std::move(requests)] {
      return manager::exchange(pool, requests, std::chrono::steady_clock::now() + 30s);
    });
  }
  std::vector<Answer> answers() { return answers_.get(); }
  /// The type of the only answer, or what went wrong.
  std::string answer() {
    Answer answer = std::move(answers().at(0));
    return answer ? answer->request_type : answer.error().what();
  }

 private:
  const std::vector<ServerInfo> nodes_;
  std::future<std::vector<Answer>> answers_;
};

manager::ConnectionPool pool() { return manager::ConnectionPool("TQ_STORAGE_test"); }

int bind_any(zmq::socket_t& socket) {
  socket.bind("tcp://127.0.0.1:*");
  const std::string endpoint = socket.get(zmq::sockopt::last_endpoint);
  return std::stoi(endpoint.substr(endpoint.rfind(':') + 1));
}

/// As a node that was just started takes and answers a request.
RawPeer take_request(RawListener& listener, const wire::Frames& request) {
  RawPeer peer = listener.accept();
  peer.shake_hands("ROUTER");
  for (const Slice& frame : request) CHECK((peer.hear_frame() == frame.view()));
  return peer;
}

TEST_CASE("libzmq's ROUTER and a connection exchange messages of any frames and sizes") {
  zmq::context_t context;
  zmq::socket_t router = patient_socket(context, zmq::socket_type::router);
  const auto connection =
      Connection::open(tcp_endpoint("127.0.0.1", bind_any(router)), "TQ_STORAGE_1");
  CHECK_FALSE(connection->reached());
  auto echoes = std::async(std::launch::async, [&] {
    for (size_t i = 0; i < messages_of_all_kinds().size(); ++i) {
      send_texts(router, receive_texts(router));
    }
  });
  for (const Texts& sent : messages_of_all_kinds()) {
    connection->send(frames_of(sent));
    const std::optional<Frames> reply = await(*connection);
    REQUIRE(reply.has_value());
    CHECK((texts_of(*reply) == sent));  // not printed: megabytes
  }
  echoes.get();
  CHECK(connection->reached());
  CHECK_FALSE(connection->is_lost());
}

TEST_CASE("libzmq's ROUTER knows a connection by its identity") {
  zmq::context_t context;
  zmq::socket_t router = patient_socket(context, zmq::socket_type::router);
  const auto connection =
      Connection::open(tcp_endpoint("127.0.0.1", bind_any(router)), "TQ_STORAGE_7");
  connection->send(frames_of({"hello"}));
  auto request = std::async(std::launch::async, [&] {
    const Texts received = receive_texts(router);
    send_texts(router, received);
    return received;
  });
  CHECK(await(*connection).has_value());
  CHECK(request.get() == Texts{"TQ_STORAGE_7", "hello"});
}

TEST_CASE("an exchange with several of libzmq's ROUTERs gives each its own reply") {
  zmq::context_t context;
  std::vector<zmq::socket_t> routers;
  std::vector<ServerInfo> nodes;
  for (int i = 0; i < 4; ++i) {
    routers.push_back(patient_socket(context, zmq::socket_type::router));
    nodes.push_back(node_at(bind_any(routers.back())));
  }
  manager::ConnectionPool connections = pool();
  for (int round = 0; round < 3; ++round) {  // on new connections, then on the same
    Exchange exchange(connections, nodes);
    for (size_t i = 0; i < routers.size(); ++i) {
      Texts reply = {receive_texts(routers[i]).at(0)};
      for (const Slice& frame : message("REPLY", {patterned(kMiB * i), std::to_string(i)})) {
        reply.emplace_back(frame.view());
      }
      send_texts(routers[i], reply);
    }
    std::vector<Answer> answers = exchange.answers();
    for (size_t i = 0; i < routers.size(); ++i) {
      const auto& tensors = *answers.at(i)->body.get_if<wire::Array>();
      CHECK((tensors.at(0).get_if<wire::Tensor>()->data.view() == patterned(kMiB * i)));
      CHECK(tensors.at(1).get_if<wire::Tensor>()->data.view() == std::to_string(i));
    }
  }
}

// The other node has the request: so the first attempt here was made, and refused.
TEST_CASE("a node that listens only after the first attempt is found") {
  RawListener late;
  RawListener other;
  other.listen();
  manager::ConnectionPool connections = pool();
  const wire::Frames request = message("ASK");
  Exchange exchange(connections, {node_at(late.port()), node_at(other.port())}, request);
  RawPeer waits = take_request(other, request);
  late.listen();
  take_request(late, request).say(zmtp_message(texts_of(message("LATE"))));
  waits.say(zmtp_message(texts_of(message("OTHER"))));
  std::vector<Answer> answers = exchange.answers();
  REQUIRE(answers.at(0).ok());
  CHECK(answers.at(0)->request_type == "LATE");
  CHECK(answers.at(1)->request_type == "OTHER");
}

TEST_CASE("a node that refuses connections is asked again until the deadline") {
  RawListener nobody;
  const ServerInfo node = node_at(nobody.port());
  manager::ConnectionPool connections = pool();
  const std::vector<Answer> answers =
      manager::exchange(connections, {{&node, "socket", message("ASK"), "1", "ASK"}},
                        std::chrono::steady_clock::now() + 1s);
  REQUIRE_FALSE(answers.at(0).ok());
  INFO(answers.at(0).error().what());
  CHECK(answers.at(0).error().code() == ErrorCode::kUnavailable);
  CHECK(std::string(answers.at(0).error().what()).find("(1 attempt)") == std::string::npos);
}

TEST_CASE("a reply that breaks off anywhere is asked for again") {
  const std::string reply = zmtp_message(texts_of(message("REPLY", {patterned(kMiB)})));
  const size_t whole_bytes =
      GENERATE_COPY(size_t{0}, size_t{1}, size_t{5}, reply.size() / 2, reply.size() - 1);
  const bool with_reset = GENERATE(false, true);
  INFO(whole_bytes << " bytes come" << (with_reset ? ", then a reset" : ""));
  RawListener node;
  node.listen();
  manager::ConnectionPool connections = pool();
  const wire::Frames request = message("ASK", {patterned(kMiB)});
  Exchange exchange(connections, {node_at(node.port())}, request);
  {
    RawPeer breaks = take_request(node, request);
    breaks.say(std::string_view(reply).substr(0, whole_bytes));
    if (with_reset) breaks.reset();
  }
  RawPeer answers = take_request(node, request);
  answers.say(reply);
  CHECK(exchange.answer() == "REPLY");
}

TEST_CASE("a request that breaks off is sent again") {
  RawListener node;
  node.listen();
  manager::ConnectionPool connections = pool();
  const wire::Frames request = message("ASK", {patterned(20 * kMiB)});
  Exchange exchange(connections, {node_at(node.port())}, request);
  {
    RawPeer breaks = node.accept();
    breaks.shake_hands("ROUTER");
    breaks.hear(kMiB);
  }
  { RawPeer breaks_before_hands = node.accept(); }
  RawPeer answers = take_request(node, request);
  answers.say(zmtp_message(texts_of(message("REPLY"))));
  CHECK(exchange.answer() == "REPLY");
}

TEST_CASE("a connection that is lost says so and why, and gives no half reply") {
  RawListener node;
  node.listen();
  const auto connection = Connection::open(tcp_endpoint("127.0.0.1", node.port()), "id");
  connection->send(frames_of({"request"}));
  {
    auto half = std::async(std::launch::async, [&] {
      RawPeer peer = node.accept();
      peer.shake_hands("ROUTER");
      peer.hear_frame();
      peer.say(zmtp_frame(kMoreFlag, "first") + "\x02");
    });
    CHECK_FALSE(await(*connection).has_value());
    half.get();
  }
  CHECK(connection->is_lost());
  CHECK(connection->reached());
  CHECK(connection->why_lost() != "");
  CHECK_FALSE(connection->waits_for().fd >= 0);
}

TEST_CASE("an idle connection that the node closed meanwhile is not used again") {
  RawListener node;
  node.listen();
  manager::ConnectionPool connections = pool();
  const wire::Frames request = message("ASK");
  const std::string reply = zmtp_message(texts_of(message("REPLY")));
  {
    Exchange first(connections, {node_at(node.port())}, request);
    RawPeer peer = take_request(node, request);
    peer.say(reply);
    CHECK(first.answer() == "REPLY");
  }
  Exchange second(connections, {node_at(node.port())}, request);
  RawPeer peer = take_request(node, request);
  peer.say(reply);
  CHECK(second.answer() == "REPLY");
}

TEST_CASE("a reply that nobody asked for does not answer the next request") {
  RawListener node;
  node.listen();
  manager::ConnectionPool connections = pool();
  const wire::Frames request = message("ASK");
  Exchange first(connections, {node_at(node.port())}, request);
  RawPeer talkative = take_request(node, request);
  talkative.say(zmtp_message(texts_of(message("FIRST"))) + zmtp_message(texts_of(message("MORE"))));
  CHECK(first.answer() == "FIRST");
  Exchange second(connections, {node_at(node.port())}, request);
  RawPeer peer = take_request(node, request);
  peer.say(zmtp_message(texts_of(message("SECOND"))));
  CHECK(second.answer() == "SECOND");
}

TEST_CASE("what sends back all it gets does not answer a request by the request") {
  RawListener mirror;
  mirror.listen();
  manager::ConnectionPool connections = pool();
  Exchange exchange(connections, {node_at(mirror.port())});
  {
    RawPeer peer = mirror.accept();
    peer.say(peer.hear(zmtp_greeting().size()));
    peer.say(zmtp_frame(kCommandFlag, peer.hear_frame()));
    CHECK(peer.is_closed());
  }
  RawPeer peer = mirror.accept();  // something else is there now
  peer.shake_hands("ROUTER");
  peer.hear_frame();
  peer.say(zmtp_message(texts_of(message("REPLY"))));
  CHECK(exchange.answer() == "REPLY");
}

TEST_CASE("what is no node of ours is told from a silent one") {
  RawListener node;
  node.listen();
  manager::ConnectionPool connections = pool();
  Exchange exchange(connections, {node_at(node.port())});
  RawPeer http = node.accept();
  http.say("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n");
  CHECK(http.is_closed());
  const std::string answer = exchange.answer();  // after the time for a first contact
  INFO(answer);
  CHECK(answer.find("nothing that speaks its protocol is there") != std::string::npos);
}

}  // namespace
}  // namespace tq::test
