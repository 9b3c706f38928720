// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "zmtp/curve_keys.h"

namespace tq::zmtp {

/// A box grows by this.
inline constexpr size_t kBoxBytes = 16;
inline constexpr size_t kShortNonceBytes = 8;
inline constexpr size_t kLongNonceBytes = 16;

using CurveNonce = std::array<unsigned char, 24>;

/// Requires that both together have 24 bytes.
CurveNonce curve_nonce(std::string_view prefix, std::string_view rest);
/// The number of a command as it is sent.
std::string short_nonce(uint64_t number);
uint64_t read_short_nonce(std::string_view bytes);
std::string random_bytes(size_t count);

/// "Box [plain](from->to)" of RFC 26: only `from` can make it, only `to` can open it.
std::string make_box(std::string_view plain, const CurveNonce& nonce, const CurvePublicKey& to,
                     const CurveSecret& from);
/// Nothing when it was not made so.
std::optional<std::string> open_box(std::string_view box, const CurveNonce& nonce,
                                    const CurvePublicKey& from, const CurveSecret& to);

/// What both compute of the other's public and their own secret key. Throws Error(kDecode) for a
/// public key that hides nothing.
CurveSecret shared_key(const CurvePublicKey& other, const CurveSecret& own);

}  // namespace tq::zmtp
