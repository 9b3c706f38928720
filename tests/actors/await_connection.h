// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <poll.h>

#include <optional>

#include "manager/connection.h"
#include "support/catch.h"
#include "zmtp_peers.h"

namespace tq::test {

/// Drives a connection until it has a reply or is lost.
inline std::optional<Frames> await(manager::Connection& connection) {
  std::optional<Frames> reply;
  while (!(reply = connection.receive()) && !connection.is_lost()) {
    pollfd item = connection.waits_for();
    REQUIRE(::poll(&item, 1, kPatienceMs) > 0);
    connection.progress();
  }
  return reply;
}

}  // namespace tq::test
