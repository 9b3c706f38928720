// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "zmtp/tcp.h"

namespace tq::runtime {

/// From which addresses peers may connect: any, unless networks were named.
class AllowedPeers {
 public:
  AllowedPeers() = default;
  /// Networks such as "10.1.0.0/16", "fd00::/8" or "192.0.2.7" (one address). Throws
  /// Error(kInvalidArgument) with the forms that are taken.
  static AllowedPeers parse(const std::vector<std::string>& networks);

  bool contains(const zmtp::IpAddress& peer) const noexcept;

 private:
  struct Network {
    zmtp::IpAddress address;
    size_t prefix_bits;
  };
  std::vector<Network> networks_;
};

/// As a person writes it: "10.1.2.3", "fd00::1".
std::string address_text(const zmtp::IpAddress& address);

}  // namespace tq::runtime
