// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "zmtp/curve_keys.h"
#include "zmtp/curve_traffic.h"

namespace tq::zmtp {

/// One end of CurveZMQ's handshake (rfc.zeromq.org/spec/26): HELLO, WELCOME, INITIATE, READY. Takes
/// and gives the bodies of commands, does no input or output of its own. Both ends prove that they
/// have their secret keys, and agree on keys of this connection alone, which are overwritten at its
/// end: who records the bytes and steals a secret key later reads nothing. Not thread-safe.
class CurveHandshake {
 public:
  /// No command of it is larger; what may come before a peer has proved anything.
  static constexpr size_t kCommandBytesMax = 4096;
  /// Commands that an end awaits.
  static constexpr size_t kCommands = 2;

  /// `properties` is what the peer is told of us.
  CurveHandshake(CurvePointer curve, std::string properties);

  /// What a client says first; empty for a node.
  std::string begin();
  /// Takes the peer's next command; returns the answer to it, or nothing. Throws HandshakeRefused
  /// for a peer that is not to be talked to, Error(kDecode) for what is no such command.
  std::string take(std::string_view command);

  bool is_done() const noexcept { return awaited_ == Awaited::kNothing; }
  /// Whether the peer has said nothing yet that needs its key.
  bool awaits_welcome() const noexcept { return awaited_ == Awaited::kWelcome; }
  /// What it tells of itself. Requires is_done().
  const std::string& peer_properties() const noexcept { return peer_properties_; }
  std::unique_ptr<CurveTraffic> traffic() const;

 private:
  enum class Awaited { kHello, kWelcome, kInitiate, kReady, kNothing };

  std::string take_hello(std::string_view command);
  std::string take_welcome(std::string_view command);
  std::string take_initiate(std::string_view command);
  std::string take_ready(std::string_view command);
  std::string initiate(std::string_view cookie);
  void check_vouch(const CurvePublicKey& client, std::string_view vouch) const;

  const CurvePointer curve_;
  const std::string properties_;
  Awaited awaited_;
  const CurveKeyPair own_ = CurveKeyPair::generate();  // of this connection
  CurvePublicKey peer_{};                              // of this connection
  std::string cookie_;
  uint64_t sent_ = 0;
  uint64_t received_ = 0;
  std::string peer_properties_;
};

/// The body of a command that tells a client why it is refused.
std::string error_command(std::string_view reason);

}  // namespace tq::zmtp
