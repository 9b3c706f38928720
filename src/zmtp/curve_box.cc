// SPDX-License-Identifier: Apache-2.0
#include "zmtp/curve_box.h"

#include <sodium.h>

#include <algorithm>

#include "transfer_queue/error.h"

namespace tq::zmtp {
namespace {

static_assert(crypto_box_MACBYTES == kBoxBytes);
static_assert(crypto_box_NONCEBYTES == std::tuple_size_v<CurveNonce>);

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

}  // namespace

CurveNonce curve_nonce(std::string_view prefix, std::string_view rest) {
  CurveNonce nonce;
  std::copy(rest.begin(), rest.end(), std::copy(prefix.begin(), prefix.end(), nonce.begin()));
  return nonce;
}

std::string short_nonce(uint64_t number) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift);
  return bytes;
}

uint64_t read_short_nonce(std::string_view bytes) {
  uint64_t number = 0;
  for (const char c : bytes) number = number << 8 | static_cast<unsigned char>(c);
  return number;
}

std::string random_bytes(size_t count) {
  std::string bytes(count, '\0');
  ::randombytes_buf(bytes.data(), bytes.size());
  return bytes;
}

std::string make_box(std::string_view plain, const CurveNonce& nonce, const CurvePublicKey& to,
                     const CurveSecret& from) {
  std::string box(plain.size() + kBoxBytes, '\0');
  if (::crypto_box_easy(bytes_of(box), bytes_of(plain), plain.size(), nonce.data(), to.data(),
                        from.bytes.data()) != 0) {
    throw Error(ErrorCode::kDecode, "its public key is none");
  }
  return box;
}

std::optional<std::string> open_box(std::string_view box, const CurveNonce& nonce,
                                    const CurvePublicKey& from, const CurveSecret& to) {
  if (box.size() < kBoxBytes) return std::nullopt;
  std::string plain(box.size() - kBoxBytes, '\0');
  if (::crypto_box_open_easy(bytes_of(plain), bytes_of(box), box.size(), nonce.data(), from.data(),
                             to.bytes.data()) != 0) {
    return std::nullopt;
  }
  return plain;
}

CurveSecret shared_key(const CurvePublicKey& other, const CurveSecret& own) {
  CurveSecret shared;
  if (::crypto_box_beforenm(shared.bytes.data(), other.data(), own.bytes.data()) != 0) {
    throw Error(ErrorCode::kDecode, "its public key is none");
  }
  return shared;
}

}  // namespace tq::zmtp
