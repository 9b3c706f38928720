// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sodium.h>

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "support/zmtp_bytes.h"

/// CurveZMQ by the letter of rfc.zeromq.org/spec/26, the client's side, written on libsodium
/// without a line of src/zmtp, so that tests compare with the specification and may break it
/// anywhere.
namespace tq::test {

using RawKey = std::array<unsigned char, 32>;

struct RawKeys {
  RawKeys() { crypto_box_keypair(open.data(), secret.data()); }
  RawKey open;
  RawKey secret;
};

inline std::string text_of(const RawKey& key) {
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}
inline const unsigned char* octets(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

/// Box [plain](from->to); the nonce is a prefix and the rest, 24 octets.
inline std::string raw_box(std::string_view plain, const std::string& nonce, const RawKey& to,
                           const RawKey& from) {
  std::string box(plain.size() + 16, '\0');
  if (crypto_box_easy(reinterpret_cast<unsigned char*>(box.data()), octets(plain), plain.size(),
                      octets(nonce), to.data(), from.data()) != 0) {
    throw std::runtime_error("a box cannot be made");
  }
  return box;
}
inline std::string open_raw_box(std::string_view box, const std::string& nonce, const RawKey& from,
                                const RawKey& to) {
  std::string plain(box.size() - 16, '\0');
  if (crypto_box_open_easy(reinterpret_cast<unsigned char*>(plain.data()), octets(box), box.size(),
                           octets(nonce), from.data(), to.data()) != 0) {
    throw std::runtime_error("a box does not open");
  }
  return plain;
}

class RawCurveClient {
 public:
  explicit RawCurveClient(const RawKey& server) : server_(server) {}

  std::string hello(std::string_view version = std::string_view("\x01\x00", 2)) {
    const std::string number = network_order(1, 8);
    return std::string("\x05HELLO")
        .append(version)
        .append(72, '\0')
        .append(text_of(transient_.open))
        .append(number)
        .append(raw_box(std::string(64, '\0'), "CurveZMQHELLO---" + number, server_,
                        transient_.secret));
  }
  void take_welcome(std::string_view command) {
    if (command.size() != 168 || !command.starts_with("\x07WELCOME")) {
      throw std::runtime_error("no WELCOME");
    }
    const std::string plain =
        open_raw_box(command.substr(24), "WELCOME-" + std::string(command.substr(8, 16)), server_,
                     transient_.secret);
    std::copy_n(octets(plain), 32, server_transient_.begin());
    cookie_ = plain.substr(32);
  }
  /// `vouches` is whose secret key makes the vouch, normally that of `client`.
  std::string initiate(const RawKeys& client, const RawKeys& vouches,
                       std::string_view type = "DEALER", uint64_t number = 2) {
    const std::string nonce(16, 'n');
    const std::string vouch = raw_box(text_of(transient_.open) + text_of(server_),
                                      "VOUCH---" + nonce, server_transient_, vouches.secret);
    const std::string plain =
        text_of(client.open) + nonce + vouch + zmtp_property("Socket-Type", type);
    return "\x08INITIATE" + cookie_ + network_order(number, 8) +
           raw_box(plain, "CurveZMQINITIATE" + network_order(number, 8), server_transient_,
                   transient_.secret);
  }
  /// The properties in it.
  std::string take_ready(std::string_view command) {
    if (!command.starts_with("\x05READY")) throw std::runtime_error("no READY");
    return open_raw_box(command.substr(14), "CurveZMQREADY---" + std::string(command.substr(6, 8)),
                        server_transient_, transient_.secret);
  }
  std::string message(std::string_view frame, uint64_t number, char flags = 0) {
    return "\x07MESSAGE" + network_order(number, 8) +
           raw_box(std::string(1, flags).append(frame),
                   "CurveZMQMESSAGEC" + network_order(number, 8), server_transient_,
                   transient_.secret);
  }
  /// Flags and frame of a MESSAGE of the server.
  std::string take_message(std::string_view command) {
    if (!command.starts_with("\x07MESSAGE")) throw std::runtime_error("no MESSAGE");
    return open_raw_box(command.substr(16), "CurveZMQMESSAGES" + std::string(command.substr(8, 8)),
                        server_transient_, transient_.secret);
  }

 private:
  const RawKey server_;
  const RawKeys transient_;
  RawKey server_transient_{};
  std::string cookie_;
};

}  // namespace tq::test
