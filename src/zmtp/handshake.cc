// SPDX-License-Identifier: Apache-2.0
#include "zmtp/handshake.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "transfer_queue/error.h"
#include "zmtp/refusal.h"

namespace tq::zmtp {
namespace {

constexpr size_t kMajorAt = 10;
constexpr size_t kMechanismAt = 12;
constexpr size_t kMechanismBytes = 20;
constexpr size_t kAsServerAt = 32;
constexpr size_t kPingTtlBytes = 2;
constexpr size_t kPingContextMax = 16;

[[noreturn]] void fail(const std::string& message) { throw Error(ErrorCode::kDecode, message); }

std::string_view name_of(Mechanism mechanism) {
  return mechanism == Mechanism::kNull ? "NULL" : "CURVE";
}

// A name of a command or property: its length in a byte, then its bytes.
std::string short_text(std::string_view text) {
  return std::string(1, static_cast<char>(text.size())) + std::string(text);
}

std::string property(std::string_view name, std::string_view value) {
  const auto size = static_cast<uint32_t>(value.size());
  std::string bytes = short_text(name);
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift);
  return bytes.append(value);
}

/// Takes a command apart from its front.
class CommandReader {
 public:
  explicit CommandReader(std::string_view bytes) : left_(bytes) {}
  bool at_end() const { return left_.empty(); }
  std::string_view short_text() { return take(length(1)); }
  std::string_view long_text() { return take(length(4)); }
  std::string_view rest() const { return left_; }

 private:
  size_t length(size_t bytes) {
    size_t value = 0;
    for (const char c : take(bytes)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::string_view take(size_t count) {
    if (count > left_.size()) fail("its handshake command is cut short");
    const std::string_view taken = left_.substr(0, count);
    left_.remove_prefix(count);
    return taken;
  }

  std::string_view left_;
};

// The case of property names means nothing. `name` is in lower case.
bool is_named(std::string_view key, std::string_view name) {
  return std::equal(key.begin(), key.end(), name.begin(), name.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

bool may_talk(SocketType own, std::string_view peer) {
  if (peer == "DEALER" || peer == "ROUTER") return true;
  return peer == (own == SocketType::kRouter ? "REQ" : "REP");
}

}  // namespace

std::array<char, kGreetingBytes> greeting(Mechanism own) {
  std::array<char, kGreetingBytes> bytes{};
  bytes[0] = '\xff';  // with the next nine: "long identity of 1 byte" to peers of ZMTP 1
  bytes[8] = 1;
  bytes[9] = '\x7f';
  bytes[kMajorAt] = 3;
  bytes[kMajorAt + 1] = 1;
  const std::string_view mechanism = name_of(own);
  std::copy(mechanism.begin(), mechanism.end(), bytes.begin() + kMechanismAt);
  bytes[kAsServerAt] = own == Mechanism::kCurveServer ? 1 : 0;
  return bytes;
}

void check_greeting(std::string_view bytes, Mechanism own) {
  if (bytes[0] != '\xff' || bytes[9] != '\x7f') fail("it does not speak ZeroMQ's protocol");
  const int major = static_cast<unsigned char>(bytes[kMajorAt]);
  if (major < 3) {
    fail(fmt::format("it speaks version {} of ZeroMQ's protocol; 3 is needed (libzmq 4)", major));
  }
  std::string_view mechanism = bytes.substr(kMechanismAt, kMechanismBytes);
  mechanism = mechanism.substr(0, mechanism.find('\0'));
  // (That one end is the server is not asked: libzmq does not say it.)
  if (mechanism != name_of(own)) {
    throw HandshakeRefused(Refusal::kMechanism,
                           fmt::format("it wants ZeroMQ's security mechanism {}; {} is spoken here",
                                       mechanism, name_of(own)));
  }
}

std::string properties_of(SocketType own, std::string_view identity) {
  return property("Socket-Type", own == SocketType::kDealer ? "DEALER" : "ROUTER") +
         property("Identity", identity);
}

std::string ready_command(SocketType own, std::string_view identity) {
  return short_text("READY") + properties_of(own, identity);
}

std::string read_ready(SocketType own, std::string_view command) {
  CommandReader reader(command);
  const std::string_view name = reader.short_text();
  if (name == "ERROR") fail(fmt::format("it refuses us: {}", reader.short_text()));
  if (name != "READY") fail("its handshake command is not READY");
  return read_properties(own, reader.rest());
}

std::string read_properties(SocketType own, std::string_view properties) {
  CommandReader reader(properties);
  std::string identity;
  std::optional<std::string_view> type;
  while (!reader.at_end()) {
    const std::string_view key = reader.short_text();
    const std::string_view value = reader.long_text();
    if (key.empty()) fail("its handshake command has a property without a name");
    if (is_named(key, "identity")) identity = value;
    if (is_named(key, "socket-type")) type = value;
  }
  if (!type || !may_talk(own, *type)) {
    fail(fmt::format("it is a ZeroMQ socket of type {}, which is no peer of ours",
                     type.value_or("(none)")));
  }
  if (identity.size() > 255) fail("its identity is longer than 255 bytes");
  return identity;
}

bool answers_ping(std::string_view command, std::string& pong) {
  const std::string ping = short_text("PING");
  if (!command.starts_with(ping) || command.size() < ping.size() + kPingTtlBytes) return false;
  pong = short_text("PONG").append(command.substr(ping.size() + kPingTtlBytes, kPingContextMax));
  return true;
}

}  // namespace tq::zmtp
