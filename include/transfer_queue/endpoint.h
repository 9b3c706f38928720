// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "transfer_queue/error.h"

namespace tq {

/// The address of one node: upstream's ZMQServerInfo. As JSON it is
/// `{"role": ..., "id": ..., "ip": ..., "ports": {"<socket name>": port, ...}}`.
/// A plain value; reading and writing files blocks on the disk. Thread-safe as any value is.
struct ServerInfo {
  /// `role` of a controller.
  static constexpr std::string_view kControllerRole = "TransferQueueController";
  /// `role` of a storage unit.
  static constexpr std::string_view kStorageRole = "TransferQueueStorage";

  std::string role;                                ///< kControllerRole or kStorageRole
  std::string id;                                  ///< drawn anew at each start of a node
  std::string ip;                                  ///< IPv4 or IPv6, without brackets
  std::vector<std::pair<std::string, int>> ports;  ///< socket name and port

  /// "tcp://127.0.0.1:5555"; an IPv6 address is put into brackets. Throws Error(kNotFound) when the
  /// node has no socket of that name.
  std::string endpoint(std::string_view socket_name) const;

  /// The JSON of above, in one line.
  std::string to_json() const;
  /// Throws Error(kInvalidArgument) that says what is missing.
  static ServerInfo from_json(std::string_view json);

  /// Writes the JSON so that a reader sees the whole file or none. Throws Error(kUnavailable)
  /// naming the path and the reason.
  void write(const std::filesystem::path& file) const;
  /// Throws Error(kNotFound) when there is no such file, Error(kInvalidArgument) for other content.
  static ServerInfo read(const std::filesystem::path& file);
};

/// "tcp://HOST:PORT", with brackets around an IPv6 host.
std::string tcp_endpoint(std::string_view host, int port);

}  // namespace tq
