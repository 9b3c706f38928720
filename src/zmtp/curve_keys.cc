// SPDX-License-Identifier: Apache-2.0
#include "zmtp/curve_keys.h"

#include <sodium.h>

#include "transfer_queue/error.h"
#include "zmtp/z85.h"

namespace tq::zmtp {
namespace {

static_assert(crypto_box_PUBLICKEYBYTES == kCurveKeyBytes);
static_assert(crypto_box_SECRETKEYBYTES == kCurveKeyBytes);
static_assert(crypto_box_BEFORENMBYTES == kCurveKeyBytes);

// Chooses the fastest code for this processor and opens the source of randomness.
void require_sodium() {
  static const bool kIsThere = ::sodium_init() >= 0;
  if (!kIsThere) {
    throw Error(ErrorCode::kInternal, "libsodium finds no source of random numbers");
  }
}

}  // namespace

CurveSecret::~CurveSecret() { ::sodium_memzero(bytes.data(), bytes.size()); }

CurveKeyPair CurveKeyPair::generate() {
  require_sodium();
  CurveKeyPair pair;
  ::crypto_box_keypair(pair.public_key.data(), pair.secret_key.bytes.data());
  return pair;
}

bool CurveKeyPair::belongs_together() const {
  CurvePublicKey made;
  return ::crypto_scalarmult_base(made.data(), secret_key.bytes.data()) == 0 && made == public_key;
}

bool Curve::may_connect(const CurvePublicKey& client) const noexcept {
  // All are looked at, so that the time tells nothing of who is in the list.
  bool may = ::sodium_memcmp(own.public_key.data(), client.data(), client.size()) == 0;
  for (const CurvePublicKey& known : clients) {
    may |= ::sodium_memcmp(known.data(), client.data(), client.size()) == 0;
  }
  return may;
}

std::string curve_key_text(const CurvePublicKey& key) { return to_z85(key); }

std::optional<CurvePublicKey> read_curve_key(std::string_view text) {
  CurvePublicKey key;
  if (!from_z85(text, key)) return std::nullopt;
  return key;
}

bool is_same_secret(std::string_view a, std::string_view b) noexcept {
  return ::sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

void forget_secret(std::string& text) noexcept { ::sodium_memzero(text.data(), text.size()); }

}  // namespace tq::zmtp
