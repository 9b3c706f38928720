// SPDX-License-Identifier: Apache-2.0
#include "controller/handlers/handlers.h"

namespace tq::controller {

// Every repeat is answered: a client repeats until it sees the ACK.
runtime::Outcome handle(State& state, const Call& call, wire::Handshake) {
  return reply(state, call, wire::HandshakeAck{});
}

}  // namespace tq::controller
