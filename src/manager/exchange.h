// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "manager/connection_pool.h"
#include "transfer_queue/endpoint.h"
#include "wire/decode.h"
#include "wire/pack.h"

namespace tq::runtime {
class Wakeup;
}

namespace tq::manager {

using Deadline = std::chrono::steady_clock::time_point;

/// A node that never answered must be reached by then, however long the deadline: it is more likely
/// a wrong address than a restart, and whoever typed it is to be told within 5 seconds.
inline constexpr std::chrono::milliseconds kFirstContactMax{4'000};

/// One request to one node.
struct Outgoing {
  const ServerInfo* node;
  const char* socket_name;
  wire::OutMessage frames;
  std::string request_id;          // under x_tq; the same in every attempt
  const char* what;                // "PUT", for errors
  zmtp::Placement placement = {};  // of the reply's frames
  /// It takes something that a repetition would take once more: a connection that breaks ends it.
  bool once = false;
  /// When this is notified, the request is given up, unless the node has answered; nullptr: never.
  const runtime::Wakeup* stop = nullptr;
  /// Where the node may take its time to answer: how long to look for it while it is not there.
  std::optional<std::chrono::milliseconds> reach_within = std::nullopt;
};

/// What a node answered, or why it did not.
using Answer = Result<wire::Envelope>;

/// Sends each request on a connection of its own, all at once, and waits for the replies. A lost
/// connection is replaced and the same message sent again, until the deadline, unless it may go
/// once only. Blocks; thread-safe. An Answer's error names node, endpoint, attempts and seconds.
std::vector<Answer> exchange(ConnectionPool& pool, std::vector<Outgoing> requests,
                             Deadline deadline);

/// The text under `message` of a reply, where nodes say what went wrong; nullptr when there is
/// none.
const std::string* message_of(const wire::Envelope& reply) noexcept;

/// A fresh request id, eight hex digits.
std::string new_request_id();

/// "storage unit TQ_STORAGE_UNIT_1 at tcp://...", for errors.
std::string describe(const ServerInfo& node, const char* socket_name);

}  // namespace tq::manager
