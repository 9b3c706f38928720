// SPDX-License-Identifier: Apache-2.0
#include "runtime/allowed_peers.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "transfer_queue/error.h"

namespace tq::runtime {
namespace {

constexpr zmtp::IpAddress kMappedIpv4 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
constexpr size_t kMappedBits = 96;
constexpr size_t kAllBits = 128;

[[noreturn]] void fail(std::string_view text, std::string_view why) {
  throw Error(
      ErrorCode::kInvalidArgument,
      fmt::format("--allow {}: {}; write an IP address or a network, for instance 10.1.0.0/16, "
                  "192.0.2.7 or fd00::/8",
                  text, why));
}

bool is_bit_set(const zmtp::IpAddress& address, size_t bit) {
  return (address[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

bool is_same_network(const zmtp::IpAddress& a, const zmtp::IpAddress& b, size_t bits) {
  const size_t bytes = bits / 8;
  if (!std::equal(a.begin(), a.begin() + static_cast<ptrdiff_t>(bytes), b.begin())) return false;
  const auto mask = static_cast<unsigned char>(0xff00 >> bits % 8);
  return bits % 8 == 0 || (a[bytes] & mask) == (b[bytes] & mask);
}

}  // namespace

AllowedPeers AllowedPeers::parse(const std::vector<std::string>& networks) {
  AllowedPeers allowed;
  for (const std::string& text : networks) {
    const size_t slash = text.find('/');
    const std::string host = text.substr(0, slash);
    zmtp::IpAddress address = kMappedIpv4;
    const bool is_ipv4 = ::inet_pton(AF_INET, host.c_str(), address.data() + 12) == 1;
    if (!is_ipv4 && ::inet_pton(AF_INET6, host.c_str(), address.data()) != 1) {
      fail(text, "it is not an IPv4 or IPv6 address");
    }
    const size_t before = is_ipv4 ? kMappedBits : 0;
    size_t bits = kAllBits - before;
    if (slash != std::string::npos) {
      const char* begin = text.data() + slash + 1;
      const char* end = text.data() + text.size();
      const size_t most = bits;
      const auto [stop, error] = std::from_chars(begin, end, bits);
      if (error != std::errc() || stop != end || bits > most) {
        fail(text, fmt::format("after the slash comes a number from 0 to {}", most));
      }
    }
    for (size_t bit = before + bits; bit < kAllBits; ++bit) {
      // 10.1.2.3/16 may mean 10.1.0.0/16 or a slip of the pen: nobody should come in by a slip.
      if (is_bit_set(address, bit)) fail(text, "it has bits set that its prefix does not cover");
    }
    allowed.networks_.push_back({address, before + bits});
  }
  return allowed;
}

bool AllowedPeers::contains(const zmtp::IpAddress& peer) const noexcept {
  return networks_.empty() ||
         std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
           return is_same_network(peer, network.address, network.prefix_bits);
         });
}

std::string address_text(const zmtp::IpAddress& address) {
  const bool is_ipv4 = is_same_network(address, kMappedIpv4, kMappedBits);
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(is_ipv4 ? AF_INET : AF_INET6, address.data() + (is_ipv4 ? 12 : 0), text.data(),
              text.size());
  return text.data();
}

}  // namespace tq::runtime
