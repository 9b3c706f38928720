// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// ZMTP 3.1 by the letter of rfc.zeromq.org/spec/37, written without a line of src/zmtp, so that
/// tests compare with the specification.
namespace tq::test {

inline constexpr char kLastFlag = 0;
inline constexpr char kMoreFlag = 1;
inline constexpr char kLongFlag = 2;
inline constexpr char kCommandFlag = 4;

/// `size` in `count` octets, network byte order.
inline std::string network_order(uint64_t size, int count) {
  std::string bytes;
  for (int shift = 8 * (count - 1); shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(size >> shift & 0xff));
  }
  return bytes;
}

/// Flags and size of a frame; the body is long from 256 octets on.
inline std::string zmtp_header(char flags, uint64_t size) {
  if (size <= 255) return std::string(1, flags) + network_order(size, 1);
  return std::string(1, static_cast<char>(flags | kLongFlag)) + network_order(size, 8);
}

inline std::string zmtp_frame(char flags, std::string_view body) {
  return zmtp_header(flags, body.size()).append(body);
}

/// What libzmq 4 sends first, but for the version and mechanism that are asked for.
inline std::string zmtp_greeting(char major = 3, char minor = 1,
                                 std::string_view mechanism = "NULL") {
  std::string bytes("\xff\0\0\0\0\0\0\0\x01\x7f", 10);
  bytes.push_back(major);
  bytes.push_back(minor);
  bytes.append(mechanism).append(20 - mechanism.size(), '\0');
  return bytes.append(1 + 31, '\0');  // as-server, filler
}

inline std::string zmtp_property(std::string_view name, std::string_view value) {
  return network_order(name.size(), 1)
      .append(name)
      .append(network_order(value.size(), 4))
      .append(value);
}

/// The body of the command that ends a handshake.
inline std::string zmtp_ready(std::string_view type, std::string_view identity = "") {
  return "\x05READY" + zmtp_property("Socket-Type", type) + zmtp_property("Identity", identity);
}

/// Bytes of that size that differ from place to place and from `salt` to `salt`.
inline std::string patterned(size_t size, uint32_t salt = 0) {
  std::string bytes(size, '\0');
  uint32_t state = salt * 2654435761U + 1;
  for (char& c : bytes) {
    state = state * 1664525U + 1013904223U;
    c = static_cast<char>(state >> 24);
  }
  return bytes;
}

}  // namespace tq::test
