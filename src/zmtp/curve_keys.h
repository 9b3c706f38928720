// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tq::zmtp {

inline constexpr size_t kCurveKeyBytes = 32;
/// Of a key as text, in Z85.
inline constexpr size_t kCurveKeyTextBytes = 40;

using CurvePublicKey = std::array<unsigned char, kCurveKeyBytes>;

/// A secret key, or one that two ends share; overwritten when it is dropped.
struct CurveSecret {
  CurveSecret() = default;
  CurveSecret(const CurveSecret&) = default;
  CurveSecret& operator=(const CurveSecret&) = default;
  ~CurveSecret();

  std::array<unsigned char, kCurveKeyBytes> bytes{};
};

/// Who somebody is: the public key names him, the secret one proves it.
struct CurveKeyPair {
  static CurveKeyPair generate();
  /// Whether one is the other's.
  bool belongs_together() const;

  CurvePublicKey public_key{};
  CurveSecret secret_key;
};

/// How one end of a connection proves who it is, and whom it talks to. Without one, mechanism NULL
/// is spoken, which proves and hides nothing.
struct Curve {
  CurveKeyPair own;
  /// A client's: the only key that the node may have. Nothing makes this the node's side.
  std::optional<CurvePublicKey> server{};
  /// A node's: who may connect, besides who has the node's own key.
  std::vector<CurvePublicKey> clients{};

  bool is_server() const noexcept { return !server.has_value(); }
  bool may_connect(const CurvePublicKey& client) const noexcept;
};
using CurvePointer = std::shared_ptr<const Curve>;

std::string curve_key_text(const CurvePublicKey& key);
/// Nothing for a text that is no key.
std::optional<CurvePublicKey> read_curve_key(std::string_view text);

/// Whether both are the same, in a time that tells nothing of them. Requires equal sizes.
bool is_same_secret(std::string_view a, std::string_view b) noexcept;
/// Overwrites what a text holds.
void forget_secret(std::string& text) noexcept;

}  // namespace tq::zmtp
