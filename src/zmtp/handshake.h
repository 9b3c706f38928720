// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace tq::zmtp {

/// What both ends of a connection say before the first message: a greeting of fixed size, then a
/// READY command (rfc.zeromq.org/spec/23, mechanism NULL), or CURVE's handshake. We speak 3.1 and
/// accept any from 3.0 on.
inline constexpr size_t kGreetingBytes = 64;

enum class Mechanism { kNull, kCurveClient, kCurveServer };

std::array<char, kGreetingBytes> greeting(Mechanism own = Mechanism::kNull);
/// Throws Error(kDecode) that says what the peer speaks instead; HandshakeRefused(kMechanism) where
/// that is another mechanism.
void check_greeting(std::string_view bytes, Mechanism own = Mechanism::kNull);

enum class SocketType { kDealer, kRouter };

/// What READY says of us, as CURVE's commands do in their boxes: a socket type and an identity.
std::string properties_of(SocketType own, std::string_view identity);
/// Those of the peer: its identity, empty when it has none. Throws Error(kDecode) for damaged ones,
/// and a socket type that must not talk to `own`.
std::string read_properties(SocketType own, std::string_view properties);

/// The body of the command frame that ends our half of the handshake. `identity` (up to 255 bytes)
/// is how a ROUTER will know us; empty when it need not.
std::string ready_command(SocketType own, std::string_view identity);

/// The peer's READY: its identity, empty when it has none. Throws Error(kDecode) for any other
/// command, a damaged one, and a socket type that must not talk to `own`.
std::string read_ready(SocketType own, std::string_view command);

/// Whether a command is a PING; then `pong` is what answers it.
bool answers_ping(std::string_view command, std::string& pong);

}  // namespace tq::zmtp
