// SPDX-License-Identifier: Apache-2.0
#include "runtime/bind_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

#include "transfer_queue/error.h"

namespace tq::runtime {
namespace {

[[noreturn]] void fail(std::string_view text, const char* why) {
  throw Error(
      ErrorCode::kInvalidArgument,
      fmt::format("'{}' is no address to listen on: {}; write an IP address, optionally with "
                  "a port: 127.0.0.1, 0.0.0.0:5555, ::1 or [::1]:5555",
                  text, why));
}

int parse_port(std::string_view text, std::string_view whole) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port < 0 || port > 65535) {
    fail(whole, "the port must be a number from 0 to 65535");
  }
  return port;
}

using IpBytes = std::array<unsigned char, sizeof(in6_addr)>;

// An IPv4 address fills the first four bytes.
std::optional<IpBytes> ip_bytes(const std::string& host) {
  IpBytes bytes{};
  const bool is_ip = inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
                     inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
  return is_ip ? std::optional(bytes) : std::nullopt;
}

}  // namespace

BindAddress BindAddress::parse(std::string_view text) {
  BindAddress address;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) fail(text, "the bracket is not closed");
    address.host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && rest[0] != ':') fail(text, "after the bracket comes :PORT");
    if (!rest.empty()) address.port = parse_port(rest.substr(1), text);
  } else if (const size_t colon = text.find(':');
             colon != std::string_view::npos && colon == text.rfind(':')) {
    address.host = text.substr(0, colon);
    address.port = parse_port(text.substr(colon + 1), text);
  } else {
    address.host = text;  // without a port, or a bare IPv6 address, which has more colons
  }
  if (address.host == "*") address.host = "0.0.0.0";
  if (address.host == "localhost") address.host = "127.0.0.1";
  if (!ip_bytes(address.host)) fail(text, "it is not an IPv4 or IPv6 address");
  return address;
}

// 0.0.0.0, and :: in all its spellings.
bool BindAddress::is_wildcard() const { return ip_bytes(host) == IpBytes{}; }

}  // namespace tq::runtime
