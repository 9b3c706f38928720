// SPDX-License-Identifier: Apache-2.0
#include "wire/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tq::wire {
namespace {

// Length of the well-formed sequence at the front of `text`, 0 if there is none.
size_t sequence_length(std::string_view text, bool surrogates) noexcept {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto follows = [&](size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;
  if (lead < 0xE0) return follows(1) ? 2 : 0;
  if (lead < 0xF0) {
    if (!follows(1) || !follows(2)) return 0;
    if (lead == 0xE0 && byte(1) < 0xA0) return 0;
    if (lead == 0xED && byte(1) >= 0xA0 && !surrogates) return 0;
    return 3;
  }
  if (lead > 0xF4 || !follows(1) || !follows(2) || !follows(3)) return 0;
  if (lead == 0xF0 && byte(1) < 0x90) return 0;
  if (lead == 0xF4 && byte(1) >= 0x90) return 0;
  return 4;
}

bool is_well_formed(std::string_view text, bool surrogates) noexcept {
  while (text.size() >= sizeof(uint64_t)) {  // eight ASCII bytes at a time
    uint64_t word;
    std::memcpy(&word, text.data(), sizeof word);
    if ((word & 0x8080808080808080U) != 0) break;
    text.remove_prefix(sizeof word);
  }
  while (!text.empty()) {
    const size_t length = sequence_length(text, surrogates);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

bool is_utf8(std::string_view text) noexcept { return is_well_formed(text, false); }

bool is_utf8_with_surrogates(std::string_view text) noexcept { return is_well_formed(text, true); }

std::string printable(std::string_view bytes, size_t bytes_max) {
  std::string text;
  while (!bytes.empty()) {
    if (text.size() >= bytes_max) return text + "...";
    const size_t length = sequence_length(bytes, false);
    const auto lead = static_cast<uint8_t>(bytes[0]);
    // U+0000 to U+001F, U+007F, and U+0080 to U+009F, which a terminal obeys as well.
    const bool control = length == 1 ? lead < 0x20 || lead == 0x7F
                                     : lead == 0xC2 && static_cast<uint8_t>(bytes[1]) < 0xA0;
    if (length == 0 || control) {
      text += fmt::format("\\x{:02x}", lead);
    } else {
      text += bytes.substr(0, length);
    }
    bytes.remove_prefix(control ? 1 : std::max<size_t>(length, 1));
  }
  return text;
}

}  // namespace tq::wire
