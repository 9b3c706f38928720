// SPDX-License-Identifier: Apache-2.0
#include "manager/exchange.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <random>

#include "runtime/look.h"
#include "runtime/wakeup.h"
#include "wire/utf8.h"

namespace tq::manager {
namespace {

using Clock = std::chrono::steady_clock;

// Before the next attempt on a node whose connection broke: it may be about to restart. Doubled
// with each attempt up to the longest.
constexpr std::chrono::milliseconds kRetryPause{25};
constexpr std::chrono::milliseconds kRetryPauseMax{400};

// For a reply that was under way when the caller gave up.
constexpr std::chrono::milliseconds kLastReply{500};

// Of what the other end says of itself.
constexpr size_t kReasonBytesMax = 300;

struct Exchange {
  Outgoing request;
  std::string endpoint;
  std::unique_ptr<Connection> connection;
  int attempts = 0;
  bool broke = false;    // a connection to the node was lost
  int silent = 0;        // connections that ended at the first command of CURVE
  bool stopped = false;  // the caller gave up
  Deadline stop_at = Deadline::max();
  std::chrono::milliseconds pause = kRetryPause;
  Deadline resend_at{};                    // while there is no connection
  Deadline reach_until = Deadline::max();  // for a node that never answered before
  std::optional<Answer> answer;
};

void start_attempt(ConnectionPool& pool, Exchange& e) {
  ++e.attempts;
  try {
    e.connection = pool.take(e.endpoint);
    e.connection->send(e.request.frames, e.request.placement);
  } catch (const Error& error) {
    e.connection.reset();
    e.answer = error;
  }
}

// A reply that answers another request: only a peer of ours says so, and only a proxy causes it.
bool is_for(const wire::Envelope& reply, const std::string& request_id) {
  const auto extension = wire::extension_of(reply.body);
  return !extension || extension->request_id == request_id;
}

Error not_repeated(const Exchange& e) {
  return Error(ErrorCode::kUnavailable,
               fmt::format("the connection to {} broke before it answered {}, which is not sent "
                           "again: what it took may stay taken",
                           describe(*e.request.node, e.request.socket_name), e.request.what));
}

// What the one who reads the error may do.
const char* advice(zmtp::Refusal refusal, bool has_keys) {
  switch (refusal) {
    case zmtp::Refusal::kMechanism:
      return has_keys ? "start the node with --curve-key, or this client without keys"
                      : "give this client keys, --curve-key FILE and --curve-server-key FILE "
                        "(TQ_CURVE_KEY and TQ_CURVE_SERVER_KEY; in C++ ClientOptions::curve)";
    case zmtp::Refusal::kByPeer:
      return "--curve-clients of the node names who may connect, --curve-server-key of the client "
             "the node's public key";
    default:
      return "is the node's public key that of --curve-server-key?";
  }
}

// Why the node will not talk to this client however often it tries.
std::optional<Error> refused(const ConnectionPool& pool, Exchange& e) {
  const zmtp::Refusal refusal = e.connection->refusal();
  if (refusal == zmtp::Refusal::kNone) return std::nullopt;
  // Once may be a node that ends.
  if (refusal == zmtp::Refusal::kSilent && ++e.silent < 2) return std::nullopt;
  return Error(ErrorCode::kUnavailable,
               fmt::format("{} and this client do not come together for {}: {}; {}",
                           describe(*e.request.node, e.request.socket_name), e.request.what,
                           wire::printable(e.connection->why_lost(), kReasonBytesMax),
                           advice(refusal, pool.has_keys())));
}

void take_reply(ConnectionPool& pool, Exchange& e) {
  while (std::optional<wire::Frames> frames = e.connection->receive()) {
    Answer answer = wire::decode(*frames, wire::Limits{});
    if (answer.ok() && !is_for(*answer, e.request.request_id)) continue;
    if (answer.ok()) {
      pool.give_back(e.endpoint, std::move(e.connection));
    } else {
      answer = Error(ErrorCode::kDecode,
                     fmt::format("{} answered {} with what is no message of TransferQueue: {}",
                                 describe(*e.request.node, e.request.socket_name), e.request.what,
                                 answer.error().what()));
    }
    e.answer = std::move(answer);
    return;
  }
  if (e.connection->is_lost()) {
    if (std::optional<Error> no = refused(pool, e)) {
      e.connection.reset();
      e.answer = *no;
      return;
    }
    const bool reached = e.connection->reached();
    e.broke = e.broke || reached;
    e.connection.reset();
    e.resend_at = Clock::now() + e.pause;
    e.pause = std::min(2 * e.pause, kRetryPauseMax);
    if (reached && e.request.reach_within) {
      e.reach_until = Clock::now() + *e.request.reach_within;
    }
    if (reached && e.request.once && !e.stopped) e.answer = not_repeated(e);
  }
}

Error stopped(const Exchange& e) {
  return Error(ErrorCode::kUnavailable,
               fmt::format("the client ends, so {} no longer waits for {}", e.request.what,
                           describe(*e.request.node, e.request.socket_name)));
}

// A node that sees its peer go takes back what it hands out; what it sent before still arrives.
void stop_when_told(Exchange& e) {
  if (e.request.stop == nullptr) return;
  if (!e.stopped && e.request.stop->is_notified()) {
    e.stopped = true;
    e.stop_at = Clock::now() + kLastReply;
    if (e.connection != nullptr) e.connection->end_sending();
  }
  if (e.stopped && (e.connection == nullptr || Clock::now() >= e.stop_at)) e.answer = stopped(e);
}

bool is_unreached(const Exchange& e) { return e.reach_until != Deadline::max(); }

// What the one who reads the error may look at.
const char* advice(const Exchange& e, bool connected, bool answered_before) {
  if (connected && !answered_before) {
    return "something that speaks its protocol is there, but silent; is this its address, or is it "
           "stopped or busy?";
  }
  if (connected) return "it is connected, but silent; is it stopped, or busier than the deadline?";
  if (is_unreached(e)) {
    return "nothing that speaks its protocol is there; is it running, is this its address?";
  }
  if (e.broke) return "the connection broke, and nothing answers there now; did it stop?";
  return "it answered before, but takes no new connection now; did it end, or is it stopped?";
}

// Why e is given up now, if it is.
std::optional<Error> reason_to_give_up(ConnectionPool& pool, Exchange& e, Clock::time_point started,
                                       Deadline deadline) {
  if (is_unreached(e) && e.connection != nullptr && e.connection->reached()) {
    e.reach_until = Deadline::max();
  }
  const auto now = Clock::now();
  if (now < deadline && now < e.reach_until) return std::nullopt;
  const std::chrono::duration<double> waited = now - started;
  const bool connected = e.connection != nullptr && e.connection->reached();
  return Error(connected ? ErrorCode::kTimeout : ErrorCode::kUnavailable,
               fmt::format("{} did not answer {} within {:.1f} s ({} attempt{}): {}",
                           describe(*e.request.node, e.request.socket_name), e.request.what,
                           waited.count(), e.attempts, e.attempts == 1 ? "" : "s",
                           advice(e, connected, pool.has_answered(e.endpoint))));
}

// How long a caller looks for a reply before it sleeps. Not where several call at once: cores do
// not sleep then.
constexpr std::chrono::microseconds kLookFor{100};
std::atomic<int> calls{0};

struct CountedCall {
  // One that may wait for minutes keeps no core awake.
  explicit CountedCall(const std::vector<Outgoing>& requests)
      : busy_(std::none_of(requests.begin(), requests.end(), [](const Outgoing& request) {
          return request.reach_within.has_value();
        })) {
    if (busy_) ++calls;
  }
  ~CountedCall() {
    if (busy_) --calls;
  }
  CountedCall(const CountedCall&) = delete;
  CountedCall& operator=(const CountedCall&) = delete;

 private:
  const bool busy_;
};

bool arrives_soon(std::vector<pollfd>& items) {
  return calls <= 1 &&
         runtime::look_for(kLookFor, [&] { return ::poll(items.data(), items.size(), 0) != 0; });
}

// Waits until something arrives, an attempt is due, or the deadline has passed.
void wait(std::vector<Exchange>& exchanges, Deadline deadline) {
  std::vector<pollfd> items;
  Deadline until = deadline;
  for (Exchange& e : exchanges) {
    if (e.answer) continue;
    until = std::min({until, e.reach_until, e.stop_at});
    if (e.request.stop != nullptr && !e.stopped) {
      items.push_back({e.request.stop->descriptor(), POLLIN, 0});
    }
    if (e.connection == nullptr) {
      until = std::min(until, e.resend_at);
      continue;
    }
    if (e.connection->is_lost()) return;  // refused at once: no poll will tell
    items.push_back(e.connection->waits_for());
  }
  if (arrives_soon(items)) return;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  // Interrupted by a signal that the host program handles, it looks and waits again.
  ::poll(items.data(), items.size(), static_cast<int>(std::clamp<int64_t>(left, 0, 60'000)));
}

bool all_answered(const std::vector<Exchange>& exchanges) {
  return std::all_of(exchanges.begin(), exchanges.end(),
                     [](const Exchange& e) { return e.answer.has_value(); });
}

}  // namespace

const std::string* message_of(const wire::Envelope& reply) noexcept {
  const Value* message = reply.body.find("message");
  return message != nullptr ? message->get_if<std::string>() : nullptr;
}

std::string new_request_id() {
  static std::atomic<uint32_t> next{std::random_device{}()};
  return fmt::format("{:08x}", next.fetch_add(1));
}

std::string describe(const ServerInfo& node, const char* socket_name) {
  const char* role = node.role == ServerInfo::kControllerRole ? "controller" : "storage unit";
  return fmt::format("{} {} at {}", role, node.id, node.endpoint(socket_name));
}

std::vector<Answer> exchange(ConnectionPool& pool, std::vector<Outgoing> requests,
                             Deadline deadline) {
  const auto started = Clock::now();
  const CountedCall counted(requests);
  std::vector<Exchange> exchanges;
  exchanges.reserve(requests.size());
  for (Outgoing& request : requests) {
    Exchange& e = exchanges.emplace_back();
    e.endpoint = request.node->endpoint(request.socket_name);
    e.request = std::move(request);
    if (e.request.reach_within) e.reach_until = started + *e.request.reach_within;
    if (!pool.has_answered(e.endpoint)) {
      e.reach_until = std::min(e.reach_until, started + kFirstContactMax);
    }
    start_attempt(pool, e);
  }
  while (!all_answered(exchanges)) {
    wait(exchanges, deadline);
    for (Exchange& e : exchanges) {
      if (e.answer) continue;
      if (e.connection != nullptr) {
        e.connection->progress();
        take_reply(pool, e);
      } else if (Clock::now() >= e.resend_at) {
        start_attempt(pool, e);
      }
      if (!e.answer) stop_when_told(e);
      if (e.answer) continue;
      if (std::optional<Error> reason = reason_to_give_up(pool, e, started, deadline))
        e.answer = *reason;
    }
  }
  std::vector<Answer> answers;
  answers.reserve(exchanges.size());
  for (Exchange& e : exchanges) answers.push_back(std::move(*e.answer));
  return answers;
}

}  // namespace tq::manager
