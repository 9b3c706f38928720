// SPDX-License-Identifier: Apache-2.0
#include "manager/connection_pool.h"

#include <fmt/format.h>

namespace tq::manager {
namespace {

// Idle connections kept a node: as many as threads usually call at once.
constexpr size_t kIdleMax = 64;

}  // namespace

std::unique_ptr<Connection> ConnectionPool::take_idle(const std::string& endpoint) {
  const std::lock_guard lock(mutex_);
  auto& idle = idle_[endpoint];
  if (idle.empty()) return nullptr;
  std::unique_ptr<Connection> connection = std::move(idle.back());
  idle.pop_back();
  return connection;
}

std::unique_ptr<Connection> ConnectionPool::take(const std::string& endpoint) {
  while (std::unique_ptr<Connection> connection = take_idle(endpoint)) {
    connection->progress();  // hears of an end that came meanwhile
    // One with a reply that nobody asked for would give it to the next request.
    if (!connection->is_lost() && !connection->receive()) return connection;
  }
  return Connection::open(endpoint, fmt::format("{}_{}", prefix_, opened_++), curve_);
}

void ConnectionPool::give_back(const std::string& endpoint,
                               std::unique_ptr<Connection> connection) {
  const std::lock_guard lock(mutex_);
  answered_.insert(endpoint);
  auto& idle = idle_[endpoint];
  if (idle.size() < kIdleMax) idle.push_back(std::move(connection));
}

bool ConnectionPool::has_answered(const std::string& endpoint) {
  const std::lock_guard lock(mutex_);
  return answered_.contains(endpoint);
}

}  // namespace tq::manager
