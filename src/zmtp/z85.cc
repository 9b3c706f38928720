// SPDX-License-Identifier: Apache-2.0
#include "zmtp/z85.h"

#include <cstdint>

namespace tq::zmtp {
namespace {

constexpr std::string_view kDigits =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
constexpr size_t kGroupBytes = 4;
constexpr size_t kGroupDigits = 5;

}  // namespace

std::string to_z85(std::span<const unsigned char> bytes) {
  std::string text;
  for (; !bytes.empty(); bytes = bytes.subspan(kGroupBytes)) {
    uint32_t value = 0;
    for (size_t i = 0; i < kGroupBytes; ++i) value = value << 8 | bytes[i];
    char digits[kGroupDigits];
    for (size_t i = kGroupDigits; i > 0; --i, value /= kDigits.size()) {
      digits[i - 1] = kDigits[value % kDigits.size()];
    }
    text.append(digits, kGroupDigits);
  }
  return text;
}

bool from_z85(std::string_view text, std::span<unsigned char> bytes) {
  if (text.size() * kGroupBytes != bytes.size() * kGroupDigits) return false;
  for (; !bytes.empty(); bytes = bytes.subspan(kGroupBytes)) {
    uint64_t value = 0;
    for (const char c : text.substr(0, kGroupDigits)) {
      const size_t digit = kDigits.find(c);
      if (digit == kDigits.npos) return false;
      value = value * kDigits.size() + digit;
    }
    if (value > UINT32_MAX) return false;
    for (size_t i = 0; i < kGroupBytes; ++i) {
      bytes[i] = static_cast<unsigned char>(value >> (8 * (kGroupBytes - 1 - i)));
    }
    text.remove_prefix(kGroupDigits);
  }
  return true;
}

}  // namespace tq::zmtp
