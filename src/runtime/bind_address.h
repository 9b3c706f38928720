// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace tq::runtime {

/// Where sockets listen: ADDR, ADDR:PORT, [IPv6]:PORT or a bare IPv6 address.
struct BindAddress {
  std::string host = "127.0.0.1";
  int port = 0;  // 0: any free port

  /// Throws Error(kInvalidArgument) with the forms that are taken.
  static BindAddress parse(std::string_view text);
  bool is_wildcard() const;
  bool is_ipv6() const noexcept { return host.find(':') != std::string::npos; }
};

}  // namespace tq::runtime
