// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "manager/connection.h"

namespace tq::manager {

/// Long-lived connections by endpoint, lent one request at a time. Thread-safe; does not block.
class ConnectionPool {
 public:
  /// Identities begin with `prefix`; it must start with TQ_STORAGE_, or units of 0.1.11 drop them.
  /// With keys all nodes must have the one that these name.
  explicit ConnectionPool(std::string prefix, zmtp::CurvePointer curve = nullptr)
      : prefix_(std::move(prefix)), curve_(std::move(curve)) {}

  /// A connection that nobody uses; a new one when there is none.
  std::unique_ptr<Connection> take(const std::string& endpoint);
  /// Only after the reply was received: a late reply would be read as the next request's.
  void give_back(const std::string& endpoint, std::unique_ptr<Connection> connection);
  bool has_keys() const noexcept { return curve_ != nullptr; }
  /// Whether a reply ever came from there.
  bool has_answered(const std::string& endpoint);

 private:
  /// The one used last, whatever became of it since; nullptr when there is none.
  std::unique_ptr<Connection> take_idle(const std::string& endpoint);

  const std::string prefix_;
  const zmtp::CurvePointer curve_;
  std::mutex mutex_;
  std::map<std::string, std::vector<std::unique_ptr<Connection>>> idle_;
  std::set<std::string> answered_;
  std::atomic<uint64_t> opened_{0};
};

}  // namespace tq::manager
