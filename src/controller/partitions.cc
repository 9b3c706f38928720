// SPDX-License-Identifier: Apache-2.0
#include "controller/partitions.h"

namespace tq::controller {

Partition* Partitions::find(std::string_view id) {
  const auto found = by_id_.find(id);
  return found != by_id_.end() ? &*found->second : nullptr;
}

Partition& Partitions::create(const std::string& id) {
  list_.emplace_back(id);
  const auto created = std::prev(list_.end());
  by_id_.emplace(created->id(), created);
  return *created;
}

void Partitions::erase(std::string_view id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  const auto partition = found->second;
  by_id_.erase(found);  // before the partition: its name is the key
  list_.erase(partition);
}

}  // namespace tq::controller
