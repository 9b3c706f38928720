// SPDX-License-Identifier: Apache-2.0
#include "manager/connection.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include "transfer_queue/error.h"
#include "wire/limits.h"

namespace tq::manager {

std::unique_ptr<Connection> Connection::open(const std::string& endpoint,
                                             const std::string& identity,
                                             const zmtp::CurvePointer& curve) {
  constexpr wire::Limits kLimits;
  try {
    return std::unique_ptr<Connection>(new Connection(
        zmtp::Stream(zmtp::connect_to(endpoint), zmtp::SocketType::kDealer,
                     {kLimits.frame_bytes_max, kLimits.frames_max, kLimits.message_bytes_max},
                     identity, curve)));
  } catch (const Error& error) {
    throw Error(error.code(),
                fmt::format("cannot open a connection to {}: {}", endpoint, error.what()));
  }
}

void Connection::send(OutMessage message, zmtp::Placement placement) {
  stream_.place_bodies(std::move(placement));
  stream_.send(std::move(message));
  stream_.write();
}

pollfd Connection::waits_for() const noexcept {
  const int events = POLLIN | (stream_.wants_to_write() ? POLLOUT : 0);
  return {stream_.descriptor(), static_cast<short>(events), 0};
}

void Connection::progress() {
  if (stream_.wants_to_write()) stream_.write();
  if (!stream_.is_closed()) stream_.read(arrived_);
  reached_ = reached_ || stream_.is_ready();
}

void Connection::end_sending() noexcept {
  if (!stream_.is_closed()) ::shutdown(stream_.descriptor(), SHUT_WR);
}

std::optional<Frames> Connection::receive() {
  if (arrived_.empty()) return std::nullopt;
  Frames frames = std::move(arrived_.front());
  arrived_.erase(arrived_.begin());
  stream_.place_bodies({});  // it holds the memory of all rows
  return frames;
}

}  // namespace tq::manager
