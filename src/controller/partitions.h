// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "controller/partition.h"

namespace tq::controller {

/// The partitions of a controller by name, walked in order of creation, as a Python dict is.
class Partitions {
 public:
  /// The partition, or nullptr. Valid until it is erased.
  Partition* find(std::string_view id);
  /// Requires that there is none of this name.
  Partition& create(const std::string& id);
  void erase(std::string_view id);
  size_t size() const noexcept { return list_.size(); }

  std::list<Partition>::const_iterator begin() const noexcept { return list_.begin(); }
  std::list<Partition>::const_iterator end() const noexcept { return list_.end(); }

 private:
  std::list<Partition> list_;
  std::unordered_map<std::string_view, std::list<Partition>::iterator> by_id_;
};

}  // namespace tq::controller
