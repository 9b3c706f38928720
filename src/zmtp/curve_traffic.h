// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "memory/out_message.h"
#include "transfer_queue/slice.h"
#include "zmtp/curve_keys.h"

namespace tq::zmtp {

/// The MESSAGE commands of one connection after its handshake: each frame, and each command, in a
/// box of its own, numbered. Not thread-safe.
class CurveTraffic {
 public:
  /// What a frame grows by: name, number, authenticator, flags.
  static constexpr size_t kOverhead = 33;

  struct Payload {
    Slice data;
    bool more = false;
    bool command = false;
  };

  /// The key that both ends computed, and the numbers of the last commands of the handshake.
  CurveTraffic(const CurveSecret& shared, bool is_server, uint64_t sent, uint64_t received);

  /// The MESSAGE with one frame of `bytes`, which these pieces make up. Copies them once.
  Slice seal(std::span<const OutMessage::Piece> pieces, size_t bytes, bool more);
  Slice seal_command(std::string_view command);

  /// Memory for a MESSAGE of that size that makes the opened frame begin where every type may.
  static std::pair<Slice, std::byte*> place(size_t size);
  /// Opens a MESSAGE where it lies: nobody else may know the memory. Throws Error(kDecode) for any
  /// that the peer did not make, or not as the next one: a repeated, dropped or swapped one.
  Payload open(const Slice& message);

 private:
  std::pair<Slice, std::byte*> begin(size_t bytes, unsigned char flags);
  void encrypt(std::byte* message, size_t bytes);

  const CurveSecret key_;
  const bool is_server_;
  uint64_t sent_;
  uint64_t received_;
};

}  // namespace tq::zmtp
