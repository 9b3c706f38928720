// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <poll.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "zmtp/stream.h"

namespace tq::manager {

/// A DEALER connected to one node's socket. It carries one request at a time, for replies of Python
/// nodes are told apart by their order alone. Never blocks. Used by one thread at a time.
class Connection {
 public:
  /// Begins to connect; throws Error(kUnavailable) only for an address that cannot be one, or when
  /// the process may open no more files.
  static std::unique_ptr<Connection> open(const std::string& endpoint, const std::string& identity,
                                          const zmtp::CurvePointer& curve = nullptr);

  /// Queues the message without copying payloads, and writes what the kernel takes at once. The
  /// reply is received where `placement` says.
  void send(OutMessage message, zmtp::Placement placement = {});
  /// What a poll must wait for.
  pollfd waits_for() const noexcept;
  /// Writes and reads what is possible now.
  void progress();
  /// Tells the node that nobody waits for what it has not sent yet. A reply that was under way
  /// still arrives; then the connection is lost.
  void end_sending() noexcept;
  /// The reply, if it has arrived whole.
  std::optional<Frames> receive();
  /// Whether the connection is lost, so that no reply will come on it.
  bool is_lost() const noexcept { return stream_.is_closed(); }
  const std::string& why_lost() const noexcept { return stream_.why_closed(); }
  /// Whether the node will refuse every further one too.
  zmtp::Refusal refusal() const noexcept { return stream_.refusal(); }
  /// Whether a peer that speaks ZeroMQ was ever there.
  bool reached() const noexcept { return reached_; }

 private:
  explicit Connection(zmtp::Stream stream) : stream_(std::move(stream)) {}

  zmtp::Stream stream_;
  std::vector<Frames> arrived_;
  bool reached_ = false;
};

}  // namespace tq::manager
