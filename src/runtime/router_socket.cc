// SPDX-License-Identifier: Apache-2.0
#include "runtime/router_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>

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

// Connections taken in one turn of the loop.
constexpr int kAcceptsInTurn = 64;

zmtp::Listener listen_on(const std::string& name, const BindAddress& address, int backlog) {
  try {
    return zmtp::listen_on(address.host, address.port, backlog);
  } catch (const Error& error) {
    throw Error(ErrorCode::kUnavailable,
                fmt::format("cannot listen on {} for {}: {}",
                            tcp_endpoint(address.host, address.port), name, error.what()));
  }
}

zmtp::Descriptor open_spare() {
  return zmtp::Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

}  // namespace

RouterSocket::RouterSocket(Poller& poller, std::string name, const BindAddress& address,
                           int backlog, const wire::Limits& limits)
    : poller_(poller),
      name_(std::move(name)),
      limits_{limits.frame_bytes_max, limits.frames_max},
      listener_(listen_on(name_, address, backlog)),
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
    zmtp::Descriptor socket = zmtp::accept_from(listener_);
    if (socket.is_open()) {
      add(std::move(socket));
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

void RouterSocket::add(zmtp::Descriptor socket) {
  const uint64_t connection = next_connection_++;
  auto peer = std::make_unique<Peer>(
      Peer{connection, zmtp::Stream(std::move(socket), zmtp::SocketType::kRouter, limits_)});
  try {
    peer->watch =
        poller_.watch(peer->stream.descriptor(), [this, connection] { serve(connection); });
  } catch (const Error& error) {
    return spdlog::warn("{}: a connection was refused: {}", name_, error.what());
  }
  unknown_.emplace_back(Clock::now() + kHandshakeMax, connection);
  Peer& added = *peer;
  peers_.emplace(connection, std::move(peer));
  added.stream.write();
  settle(added);
}

void RouterSocket::serve(uint64_t connection) {
  Peer& peer = *peers_.at(connection);
  if (peer.stream.wants_to_write()) peer.stream.write();
  if (peer.waiting < kWaitingMax) peer.stream.read(arrived_);
  if (!peer.is_known && peer.stream.is_ready()) welcome(peer);
  for (Frames& frames : arrived_) {
    inbox_.push_back({{connection, peer.stream.peer_identity()}, std::move(frames)});
  }
  peer.waiting += arrived_.size();
  arrived_.clear();
  settle(peer);
}

void RouterSocket::welcome(Peer& peer) {
  peer.is_known = true;
  if (!peer.stream.peer_identity().empty()) {
    by_identity_.insert_or_assign(peer.stream.peer_identity(), peer.connection);
  }
}

void RouterSocket::settle(Peer& peer) {
  if (peer.stream.is_closed()) {
    spdlog::debug("{}: connection of '{}' closed: {}", name_,
                  wire::printable(peer.stream.peer_identity()),
                  wire::printable(peer.stream.why_closed(), kReasonBytesMax));
    poller_.forget(peer.watch, peer.stream.descriptor());
    const auto named = by_identity_.find(peer.stream.peer_identity());
    if (named != by_identity_.end() && named->second == peer.connection) by_identity_.erase(named);
    peers_.erase(peer.connection);
    return;
  }
  if (peer.waits_to_write == peer.stream.wants_to_write()) return;
  peer.waits_to_write = peer.stream.wants_to_write();
  poller_.set_writable(peer.watch, peer.stream.descriptor(), peer.waits_to_write);
}

std::optional<Incoming> RouterSocket::receive() {
  if (inbox_.empty()) return std::nullopt;
  Incoming incoming = std::move(inbox_.front());
  inbox_.pop_front();
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
  peer->stream.send(std::move(message));
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
