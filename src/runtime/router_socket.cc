// SPDX-License-Identifier: Apache-2.0
#include "runtime/router_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "transfer_queue/endpoint.h"
#include "transfer_queue/error.h"
#include "wire/utf8.h"

namespace tq::runtime {
namespace {

using Clock = std::chrono::steady_clock;

// How long a closed socket may take to hand its last replies to the kernel.
constexpr std::chrono::milliseconds kLinger{500};

// For a handshake; libzmq's own default.
constexpr std::chrono::seconds kHandshakeMax{30};

// Replies that a peer may leave unread: libzmq's default high water mark.
constexpr size_t kUnsentMax = 1000;

// Of the reason for which a connection ended: it may quote what the peer sent.
constexpr size_t kReasonBytesMax = 500;

// Messages of one peer that may wait for their turn; libzmq's default too. Its next ones wait in
// the kernel, which slows it down.
constexpr size_t kWaitingMax = 1000;

constexpr std::chrono::seconds kBetweenWarnings{1};

// Connections taken in one turn of the loop.
constexpr int kAcceptsInTurn = 64;

zmtp::Listener listen_on(const std::string& name, const BindAddress& address, int backlog) {
  try {
    return zmtp::listen_on(address.host, address.port, backlog);
  } catch (const Error& error) {
    throw Error(
        ErrorCode::kUnavailable,
        fmt::format("cannot listen on {} for {}: {}{}", tcp_endpoint(address.host, address.port),
                    name, error.what(),
                    address.port == 0 ? "" : "; name another port, or none for a free one"));
  }
}

size_t bytes_of(const Frames& frames) {
  size_t bytes = 0;
  for (const Slice& frame : frames) bytes += frame.size;
  return bytes;
}

// What to do about a peer that was refused.
const char* advice(zmtp::Refusal refusal, bool has_keys) {
  if (refusal == zmtp::Refusal::kKey) {
    return "--curve-clients names who may connect, and clients need this node's public key";
  }
  return has_keys ? "this node was started with --curve-key and serves clients with keys only, "
                    "which those of Python are not"
                  : "this node has no keys: start it with --curve-key, or the client without";
}

zmtp::Descriptor open_spare() {
  return zmtp::Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

}  // namespace

RouterSocket::RouterSocket(Poller& poller, std::string name, const SocketOptions& options,
                           const wire::Limits& limits, InFlight& in_flight)
    : poller_(poller),
      name_(std::move(name)),
      limits_(limits),
      allowed_(options.allowed),
      curve_(options.curve),
      in_flight_(in_flight),
      listener_(listen_on(name_, options.address, options.backlog)),
      spare_(open_spare()) {
  listener_watch_ = poller_.watch(listener_.socket.number(), [this] { accept_waiting(); });
}

RouterSocket::~RouterSocket() {
  flush();
  poller_.forget(listener_watch_, listener_.socket.number());
  for (auto& [connection, peer] : peers_) poller_.forget(peer->watch, peer->stream.descriptor());
}

void RouterSocket::accept_waiting() {
  for (int i = 0; i < kAcceptsInTurn; ++i) {
    zmtp::Accepted accepted = zmtp::accept_from(listener_);
    if (accepted.socket.is_open()) {
      if (may_come_in(accepted)) add(std::move(accepted));
    } else if (errno == EMFILE || errno == ENFILE) {
      return refuse_one();
    } else {
      return;
    }
  }
}

// Left waiting, the connection would keep the poller awake and its peer in the dark.
void RouterSocket::refuse_one() {
  spdlog::warn("{}: a connection was refused: this process may open no more files (ulimit -n)",
               name_);
  spare_.close();
  zmtp::accept_from(listener_);  // and closes it
  spare_ = open_spare();
}

// Before a byte of it is read.
bool RouterSocket::may_come_in(const zmtp::Accepted& accepted) {
  if (!allowed_.contains(accepted.peer)) {
    spdlog::warn("{}: a connection from {} was refused: --allow does not name it", name_,
                 address_text(accepted.peer));
    return false;
  }
  if (in_flight_.peers < limits_.peers_max) return true;
  spdlog::warn("{}: a connection from {} was refused: {} are open, the limit (peers_max)", name_,
               address_text(accepted.peer), in_flight_.peers);
  return false;
}

void RouterSocket::add(zmtp::Accepted accepted) {
  const uint64_t connection = next_connection_++;
  const zmtp::StreamLimits limits{limits_.frame_bytes_max, limits_.frames_max,
                                  limits_.message_bytes_max};
  auto peer = std::make_unique<Peer>(Peer{
      connection, accepted.peer,
      zmtp::Stream(std::move(accepted.socket), zmtp::SocketType::kRouter, limits, "", curve_)});
  try {
    peer->watch =
        poller_.watch(peer->stream.descriptor(), [this, connection] { serve(connection); });
  } catch (const Error& error) {
    return spdlog::warn("{}: a connection was refused: {}", name_, error.what());
  }
  unknown_.emplace_back(Clock::now() + kHandshakeMax, connection);
  Peer& added = *peer;
  peers_.emplace(connection, std::move(peer));
  ++in_flight_.peers;
  added.stream.write();
  settle(added);
}

void RouterSocket::serve(uint64_t connection) {
  Peer& peer = *peers_.at(connection);
  if (peer.stream.wants_to_write()) peer.stream.write();
  // Where half of what may be under way waits for its turn, it comes first: the kernel holds up the
  // senders meanwhile.
  const bool is_full = inbox_bytes_ > limits_.in_flight_bytes_max / 2;
  if (peer.waiting < kWaitingMax && !is_full) peer.stream.read(arrived_);
  if (!peer.is_known && peer.stream.is_ready()) welcome(peer);
  for (Frames& frames : arrived_) {
    const size_t bytes = bytes_of(frames);
    inbox_bytes_ += bytes;
    in_flight_.bytes += bytes;
    inbox_.push_back({{connection, peer.stream.peer_identity()}, std::move(frames)});
  }
  peer.waiting += arrived_.size();
  arrived_.clear();
  settle(peer);
  if (in_flight_.bytes > limits_.in_flight_bytes_max) drop_heaviest();
}

void RouterSocket::account(Peer& peer, size_t bytes) {
  in_flight_.bytes += bytes - peer.in_flight_bytes;
  peer.in_flight_bytes = bytes;
}

// Of what is announced little has come yet, so there is time to choose: not who came last, but who
// makes the node keep most.
void RouterSocket::drop_heaviest() {
  const auto heaviest =
      std::max_element(peers_.begin(), peers_.end(), [](const auto& a, const auto& b) {
        return a.second->in_flight_bytes < b.second->in_flight_bytes;
      });
  if (heaviest == peers_.end() || heaviest->second->in_flight_bytes == 0) return;
  Peer& peer = *heaviest->second;
  spdlog::warn(
      "{}: the connection of '{}' was closed: {} bytes are on their way, the limit is {} "
      "(in_flight_bytes_max), and {} of them are this peer's",
      name_, wire::printable(peer.stream.peer_identity()), in_flight_.bytes,
      limits_.in_flight_bytes_max, peer.in_flight_bytes);
  peer.stream.close("too much is on its way");
  settle(peer);
}

void RouterSocket::welcome(Peer& peer) {
  peer.is_known = true;
  if (!peer.stream.peer_identity().empty()) {
    by_identity_.insert_or_assign(peer.stream.peer_identity(), peer.connection);
  }
}

void RouterSocket::log_end(const Peer& peer) {
  const std::string why = wire::printable(peer.stream.why_closed(), kReasonBytesMax);
  const auto now = Clock::now();
  if (peer.stream.refusal() == zmtp::Refusal::kNone || now < warn_again_) {
    return spdlog::debug("{}: connection of '{}' closed: {}", name_,
                         wire::printable(peer.stream.peer_identity()), why);
  }
  // libzmq tries again ten times a second.
  warn_again_ = now + kBetweenWarnings;
  spdlog::warn("{}: a connection from {} was refused: {}; {}", name_, address_text(peer.address),
               why, advice(peer.stream.refusal(), curve_ != nullptr));
}

void RouterSocket::settle(Peer& peer) {
  if (peer.stream.is_closed()) {
    log_end(peer);
    poller_.forget(peer.watch, peer.stream.descriptor());
    const auto named = by_identity_.find(peer.stream.peer_identity());
    if (named != by_identity_.end() && named->second == peer.connection) by_identity_.erase(named);
    account(peer, 0);
    --in_flight_.peers;
    peers_.erase(peer.connection);
    return;
  }
  account(peer, peer.stream.bytes_in_flight());
  if (peer.waits_to_write == peer.stream.wants_to_write()) return;
  peer.waits_to_write = peer.stream.wants_to_write();
  poller_.set_writable(peer.watch, peer.stream.descriptor(), peer.waits_to_write);
}

std::optional<Incoming> RouterSocket::receive() {
  if (inbox_.empty()) return std::nullopt;
  Incoming incoming = std::move(inbox_.front());
  inbox_.pop_front();
  const size_t bytes = bytes_of(incoming.frames);
  inbox_bytes_ -= bytes;
  in_flight_.bytes -= bytes;
  const auto sender = peers_.find(incoming.peer.connection);
  if (sender != peers_.end()) --sender->second->waiting;
  return incoming;
}

RouterSocket::Peer* RouterSocket::find(const PeerName& name) {
  const auto found = peers_.find(name.connection);
  if (found != peers_.end()) return found->second.get();
  const auto later = by_identity_.find(name.identity);
  return later != by_identity_.end() ? peers_.at(later->second).get() : nullptr;
}

SendResult RouterSocket::send(const PeerName& name, OutMessage message) {
  Peer* peer = find(name);
  if (peer == nullptr) return SendResult::kPeerGone;
  if (peer->stream.unsent_messages() >= kUnsentMax) return SendResult::kPeerFull;
  // A reply may be as large as the bound itself where nothing else is unread.
  const bool is_full = peer->stream.unsent_messages() > 0 &&
                       in_flight_.bytes + message.bytes() > limits_.in_flight_bytes_max;
  if (is_full) return SendResult::kPeerFull;
  peer->stream.send(std::move(message));
  account(*peer, peer->stream.bytes_in_flight());
  // While it waits to write, the poller says when; until then nothing would be taken.
  if (peer->waits_to_write) return SendResult::kSent;
  peer->stream.write();
  const bool is_lost = peer->stream.is_closed();
  settle(*peer);
  return is_lost ? SendResult::kPeerGone : SendResult::kSent;
}

size_t RouterSocket::unsent_bytes() const noexcept {
  size_t bytes = 0;
  for (const auto& [connection, peer] : peers_) bytes += peer->stream.unsent_bytes();
  return bytes;
}

std::optional<Clock::time_point> RouterSocket::drop_silent(Clock::time_point now) {
  while (!unknown_.empty()) {
    const auto [deadline, connection] = unknown_.front();
    const auto peer = peers_.find(connection);
    const bool is_silent = peer != peers_.end() && !peer->second->is_known;
    if (is_silent && deadline > now) return deadline;
    unknown_.pop_front();
    if (!is_silent) continue;
    peer->second->stream.close("it did not say in time who it is");
    settle(*peer->second);
  }
  return std::nullopt;
}

void RouterSocket::flush() {
  const auto until = Clock::now() + kLinger;
  // All at once, so that a peer that does not read takes no other's time.
  for (auto left = kLinger; left > left.zero();
       left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now())) {
    std::vector<pollfd> items;
    std::vector<Peer*> unwritten;
    for (auto& [connection, peer] : peers_) {
      if (!peer->stream.wants_to_write() || !peer->is_known) continue;
      items.push_back({peer->stream.descriptor(), POLLOUT, 0});
      unwritten.push_back(peer.get());
    }
    if (items.empty()) return;
    ::poll(items.data(), items.size(), static_cast<int>(left.count()));
    for (Peer* peer : unwritten) peer->stream.write();
  }
}

}  // namespace tq::runtime
