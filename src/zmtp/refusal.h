// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "transfer_queue/error.h"

namespace tq::zmtp {

/// Why a handshake failed where trying again the same way is in vain.
enum class Refusal {
  kNone,
  kMechanism,  // one end wants CURVE, the other does not speak it
  kByPeer,     // the peer said no, and why
  kKey,        // the peer's key is not the one, or none of those, that we know
  kSilent,     // the peer went at our first command, as libzmq does where it is for another key
};

/// Ends a handshake. `for_peer` is what the peer is told by an ERROR command; nothing when empty.
class HandshakeRefused : public Error {
 public:
  HandshakeRefused(Refusal refusal, const std::string& reason, std::string for_peer = "")
      : Error(ErrorCode::kDecode, reason), refusal_(refusal), for_peer_(std::move(for_peer)) {}

  Refusal refusal() const noexcept { return refusal_; }
  const std::string& for_peer() const noexcept { return for_peer_; }

 private:
  Refusal refusal_;
  std::string for_peer_;
};

}  // namespace tq::zmtp
