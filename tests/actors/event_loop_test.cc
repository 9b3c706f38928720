// SPDX-License-Identifier: Apache-2.0
// The event loop with a small actor, on real TCP sockets: who is answered when, and what becomes of
// requests whose peer, job or node is gone.
#include "runtime/event_loop.h"

#include <algorithm>
#include <future>
#include <map>
#include <memory>
#include <thread>
#include <zmq.hpp>

#include "support/catch.h"
#include "transfer_queue/endpoint.h"
#include "wire/pack.h"

namespace tq::test {
namespace {

using namespace std::chrono_literals;
using runtime::Lane;
using runtime::Outcome;
using runtime::Reply;
using runtime::Request;
using wire::Value;

constexpr int kReplyTimeoutMs = 30'000;  // a reply that does not come is a failure, not a hang

Reply reply_of(const char* type, const Value& body) {
  return {wire::pack_message({type, "ACTOR", std::nullopt},
                             [&](wire::Encoder& encoder) { encoder.value(body); }),
          {}};
}

/// Hands out counted items by topic. The request type says what to do; its body is
/// {"topic": str, "count": int, "patience_ms": int}, each optional.
class ItemActor : public runtime::Actor {
 public:
  const std::string& id() const override { return id_; }

  Outcome handle(Request& request, runtime::TimePoint now) override {
    const std::string& type = request.envelope.request_type;
    const std::string topic = text(request, "topic");
    if (type == "ECHO") return reply_of("ECHO", request.envelope.body);
    if (type == "ADD") return add(topic, number(request, "count"));
    if (type == "COUNT") return reply_of("COUNT", Value(items_[topic]));
    if (type == "WAITING") return reply_of("WAITING", Value(waited_));
    if (type == "TAKE") return take(topic, deadline(request), now);
    if (type == "ADD_AT_DEADLINE") return add_at_deadline(topic, deadline(request), now);
    if (type == "JOB") return runtime::Job{[this] { return blocked_job(); }};
    if (type == "WRITE") return runtime::Job{[this] { return blocked_job(); }, Lane::kWrites};
    if (type == "READ") return runtime::Job{read_job, Lane::kReads};
    if (type == "FAILING_JOB") return runtime::Job{[]() -> std::function<Reply()> { fail(); }};
    if (type == "FAILING_REPLY") return runtime::Job{[] { return []() -> Reply { fail(); }; }};
    if (type == "CHORE") has_chore_ = true;
    if (type == "CHORE") return reply_of("CHORE", Value());
    if (type == "THROW") fail();
    return Reply{};  // no frames: an actor's mistake
  }

  Reply undecodable(const Error& error) override { return reply_of("ERROR", Value(error.what())); }

  std::vector<std::string> take_changed_topics() override { return std::exchange(changed_, {}); }

  std::function<void()> take_chores() override {
    if (!std::exchange(has_chore_, false)) return {};
    return [this] { chore_done.set_value(std::this_thread::get_id()); };
  }

  std::promise<void> job_may_end;
  std::promise<std::thread::id> chore_done;

 private:
  [[noreturn]] static void fail() { throw std::runtime_error("the actor failed"); }

  static std::string text(const Request& request, const char* name) {
    const Value* v = request.envelope.body.find(name);
    return v != nullptr ? *v->get_if<std::string>() : std::string();
  }
  static int64_t number(const Request& request, const char* name) {
    const Value* v = request.envelope.body.find(name);
    return v != nullptr ? *v->get_if<int64_t>() : 0;
  }
  static runtime::TimePoint deadline(const Request& request) {
    return request.received_at + std::chrono::milliseconds(number(request, "patience_ms"));
  }

  Reply add(const std::string& topic, int64_t count) {
    items_[topic] += count;
    changed_.push_back(topic);
    return reply_of("ADDED", Value(items_[topic]));
  }

  Outcome take(const std::string& topic, runtime::TimePoint until, runtime::TimePoint now) {
    if (items_[topic] > 0) {
      Reply reply = reply_of("TAKEN", Value(--items_[topic]));
      reply.undo = [this, topic] { add(topic, 1); };
      return reply;
    }
    if (now >= until) return reply_of("TIMEOUT", Value());
    ++waited_;
    return runtime::Wait{topic, until};
  }

  Outcome add_at_deadline(const std::string& topic, runtime::TimePoint until,
                          runtime::TimePoint now) {
    if (now >= until) return add(topic, 1);
    ++waited_;
    return runtime::Wait{"nothing else", until};
  }

  std::function<Reply()> blocked_job() {
    job_may_end.get_future().wait();
    return [] { return reply_of("JOB_DONE", Value()); };
  }

  static std::function<Reply()> read_job() {
    return [] { return reply_of("READ_DONE", Value()); };
  }

  std::string id_ = "ACTOR";
  std::map<std::string, int64_t> items_;
  std::vector<std::string> changed_;
  bool has_chore_ = false;
  int64_t waited_ = 0;  // how often a request was told to wait
};

wire::Frames request_frames(const char* type, const Value& body = Value(wire::Map{})) {
  return wire::pack_message({type, "client", std::nullopt},
                            [&](wire::Encoder& encoder) { encoder.value(body); });
}

Value take_body(const char* topic, int64_t patience_ms) {
  return Value(
      wire::Map{{Value("topic"), Value(topic)}, {Value("patience_ms"), Value(patience_ms)}});
}

Value add_body(const char* topic, int64_t count) {
  return Value(wire::Map{{Value("topic"), Value(topic)}, {Value("count"), Value(count)}});
}

class Client {
 public:
  Client(zmq::context_t& context, const std::string& endpoint)
      : socket_(context, zmq::socket_type::dealer) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::rcvtimeo, kReplyTimeoutMs);
    socket_.connect(endpoint);
  }

  void send(const wire::Frames& frames) {
    for (size_t i = 0; i < frames.size(); ++i) {
      socket_.send(zmq::buffer(frames[i].view()),
                   i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
  }
  wire::Envelope receive() {
    zmq::message_t part;
    REQUIRE(socket_.recv(part, zmq::recv_flags::none).has_value());
    const wire::Frames frames = {wire::Slice::copy_of(part.to_string_view())};
    REQUIRE_FALSE(part.more());
    Result<wire::Envelope> envelope = wire::decode(frames, {});
    REQUIRE(envelope.ok());
    return std::move(*envelope);
  }
  wire::Envelope ask(const char* type, const Value& body = Value(wire::Map{})) {
    send(request_frames(type, body));
    return receive();
  }
  int64_t ask_number(const char* type, const Value& body = Value(wire::Map{})) {
    return *ask(type, body).body.get_if<int64_t>();
  }
  bool has_reply() {
    zmq::pollitem_t item{socket_.handle(), 0, ZMQ_POLLIN, 0};
    return zmq::poll(&item, 1, 0ms) > 0;
  }

 private:
  zmq::socket_t socket_;
};

/// A loop on its own thread and clients that are connected to it.
class Loop {
 public:
  explicit Loop(const wire::Limits& limits = {}) {
    loop_ = std::make_unique<runtime::EventLoop>(actor, limits, runtime::HeavyRequest{});
    const int port = loop_->listen("socket", {runtime::BindAddress{}, 16, {}}).port();
    endpoint_ = tcp_endpoint("127.0.0.1", port);
    thread_ = std::thread([this] { loop_->run(); });
  }
  ~Loop() { stop(); }

  Client client() { return {context_, endpoint_}; }
  /// Sends a request that will wait, and returns when the loop keeps it.
  Client waiting_client(const char* type, const Value& body) {
    Client observer = client();
    const int64_t before = observer.ask_number("WAITING");
    Client waiting = client();
    waiting.send(request_frames(type, body));
    while (observer.ask_number("WAITING") == before) {
    }
    return waiting;
  }
  void stop() {
    if (!thread_.joinable()) return;
    loop_->stop();
    thread_.join();
    loop_.reset();
  }

  ItemActor actor;

 private:
  zmq::context_t context_;
  std::string endpoint_;
  std::unique_ptr<runtime::EventLoop> loop_;
  std::thread thread_;
};

TEST_CASE("replies come in the order of the requests") {
  Loop loop;
  Client client = loop.client();
  constexpr int64_t kRequests = 300;  // more than the loop takes in one turn
  for (int64_t i = 0; i < kRequests; ++i) client.send(request_frames("ECHO", Value(i)));
  for (int64_t i = 0; i < kRequests; ++i) CHECK(*client.receive().body.get_if<int64_t>() == i);
}

TEST_CASE("who waits is answered in order of arrival when the topic changes") {
  Loop loop;
  Client first = loop.waiting_client("TAKE", take_body("a", 600'000));
  Client second = loop.waiting_client("TAKE", take_body("a", 600'000));
  Client other = loop.waiting_client("TAKE", take_body("b", 600'000));
  Client third = loop.waiting_client("TAKE", take_body("a", 600'000));
  Client producer = loop.client();
  CHECK(producer.ask("ADD", add_body("a", 2)).request_type == "ADDED");
  CHECK(*first.receive().body.get_if<int64_t>() == 1);  // one left after it
  CHECK(*second.receive().body.get_if<int64_t>() == 0);
  CHECK(producer.ask("ECHO").request_type == "ECHO");  // the loop is past the addition
  CHECK_FALSE(third.has_reply());
  CHECK_FALSE(other.has_reply());
  producer.ask("ADD", add_body("a", 1));
  CHECK(third.receive().request_type == "TAKEN");
  CHECK_FALSE(other.has_reply());
}

TEST_CASE("who waits is answered at its deadline") {
  Loop loop;
  Client client = loop.client();
  const auto sent = std::chrono::steady_clock::now();
  client.send(request_frames("TAKE", take_body("a", 50)));
  CHECK(client.receive().request_type == "TIMEOUT");
  CHECK(std::chrono::steady_clock::now() - sent >= 50ms);
}

TEST_CASE("the earliest deadline counts, not the first that came") {
  Loop loop;
  Client patient = loop.waiting_client("TAKE", take_body("a", 600'000));
  Client hasty = loop.waiting_client("TAKE", take_body("a", 50));
  CHECK(hasty.receive().request_type == "TIMEOUT");
  CHECK_FALSE(patient.has_reply());
}

TEST_CASE("what a request changes at its deadline is offered to those who wait") {
  Loop loop;
  Client waiting = loop.waiting_client("TAKE", take_body("a", 600'000));
  Client giving = loop.client();
  giving.send(request_frames("ADD_AT_DEADLINE", take_body("a", 50)));
  CHECK(giving.receive().request_type == "ADDED");
  CHECK(waiting.receive().request_type == "TAKEN");
}

TEST_CASE("a job delays no other request, and its reply comes when it is done") {
  Loop loop;
  Client slow = loop.client();
  slow.send(request_frames("JOB"));
  Client quick = loop.client();
  CHECK(quick.ask("ECHO").request_type == "ECHO");
  CHECK_FALSE(slow.has_reply());
  loop.actor.job_may_end.set_value();
  CHECK(slow.receive().request_type == "JOB_DONE");
}

TEST_CASE("a job waits for no job of another lane, and chores for the writes before them") {
  Loop loop;
  Client client = loop.client();
  client.send(request_frames("WRITE"));
  client.send(request_frames("READ"));
  CHECK(client.receive().request_type == "READ_DONE");
  std::future<std::thread::id> chore = loop.actor.chore_done.get_future();
  CHECK(client.ask("CHORE").request_type == "CHORE");
  CHECK(chore.wait_for(0s) == std::future_status::timeout);
  loop.actor.job_may_end.set_value();
  CHECK(client.receive().request_type == "JOB_DONE");
  CHECK(chore.get() != std::this_thread::get_id());
}

TEST_CASE("a job that throws is answered, and so is the next one") {
  Loop loop;
  Client client = loop.client();
  CHECK(*client.ask("FAILING_JOB").body.get_if<std::string>() == "the actor failed");
  CHECK(*client.ask("FAILING_REPLY").body.get_if<std::string>() == "the actor failed");
  loop.actor.job_may_end.set_value();
  CHECK(client.ask("JOB").request_type == "JOB_DONE");
}

TEST_CASE("frames that are no message get the actor's error reply") {
  Loop loop;
  Client client = loop.client();
  client.send({wire::Slice::copy_of("\xc1")});
  const wire::Envelope error = client.receive();
  CHECK(error.request_type == "ERROR");
  CHECK(error.body.get_if<std::string>()->find("invalid byte") != std::string::npos);
  client.send({wire::Slice{}, wire::Slice::copy_of("x")});
  CHECK(client.receive().request_type == "ERROR");
  CHECK(client.ask("ECHO").request_type == "ECHO");
}

TEST_CASE("an actor that throws costs its peer an error reply and nobody else anything") {
  Loop loop;
  Client client = loop.client();
  CHECK(*client.ask("THROW").body.get_if<std::string>() == "the actor failed");
  CHECK(client.ask("ECHO").request_type == "ECHO");
}

TEST_CASE("a reply without frames does not run into the next peer's reply") {
  Loop loop;
  Client mistaken = loop.client();
  mistaken.send(request_frames("NO_FRAMES"));
  mistaken.send(request_frames("ECHO"));
  CHECK(mistaken.receive().request_type == "ERROR");
  CHECK(mistaken.receive().request_type == "ECHO");
  CHECK(loop.client().ask("ECHO").request_type == "ECHO");
}

// The kernel and libzmq tell the server of a closed connection in their own time, and a reply
// before that is lost as it would be on any network. So this is tried until the server knows.
TEST_CASE("what was handed out to a peer that is gone goes to the next one") {
  Loop loop;
  Client producer = loop.client();
  const auto give_up = std::chrono::steady_clock::now() + 30s;
  int64_t given_back = 0;
  while (given_back == 0 && std::chrono::steady_clock::now() < give_up) {
    { Client gone = loop.waiting_client("TAKE", take_body("a", 600'000)); }
    producer.ask("ECHO");
    producer.ask("ADD", add_body("a", 1));
    given_back = producer.ask_number("COUNT", add_body("a", 0));
  }
  REQUIRE(given_back == 1);
  CHECK(producer.ask("TAKE", take_body("a", 0)).request_type == "TAKEN");

  bool answered = false;  // an undo that happens while others wait
  while (!answered && std::chrono::steady_clock::now() < give_up) {
    { Client gone = loop.waiting_client("TAKE", take_body("b", 600'000)); }
    Client next = loop.waiting_client("TAKE", take_body("b", 600'000));
    producer.ask("ADD", add_body("b", 1));
    producer.ask("ECHO");
    answered = next.has_reply();
  }
  CHECK(answered);
}

TEST_CASE("more waiting requests than the limit are refused") {
  wire::Limits limits;
  limits.waiting_max = 2;
  Loop loop(limits);
  Client first = loop.waiting_client("TAKE", take_body("a", 600'000));
  Client second = loop.waiting_client("TAKE", take_body("a", 600'000));
  Client third = loop.client();
  const wire::Envelope refused = third.ask("TAKE", take_body("a", 600'000));
  CHECK(refused.request_type == "ERROR");
  CHECK(refused.body.get_if<std::string>()->find("2 requests wait") != std::string::npos);
  third.ask("ADD", add_body("a", 1));
  CHECK(first.receive().request_type == "TAKEN");
  CHECK_FALSE(second.has_reply());
}

TEST_CASE("a node that stops tells those who wait") {
  Loop loop;
  Client waiting = loop.waiting_client("TAKE", take_body("a", 600'000));
  loop.stop();
  const wire::Envelope told = waiting.receive();
  CHECK(told.request_type == "ERROR");
  CHECK(told.body.get_if<std::string>()->find("stopping") != std::string::npos);
}

TEST_CASE("a loop stops while a job runs, and joins it") {
  Loop loop;
  Client client = loop.client();
  client.send(request_frames("JOB"));
  CHECK(loop.client().ask("ECHO").request_type == "ECHO");
  std::thread ender([&] { loop.actor.job_may_end.set_value(); });
  loop.stop();
  ender.join();
}

}  // namespace
}  // namespace tq::test
