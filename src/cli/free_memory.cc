// SPDX-License-Identifier: Apache-2.0
#include "cli/free_memory.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>

namespace tq::cli {
namespace {

constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

uint64_t available_of_machine() {
  std::ifstream file("/proc/meminfo");
  std::string name;
  uint64_t kibibytes = 0;
  for (std::string line; file >> name >> kibibytes && std::getline(file, line);) {
    if (name == "MemAvailable:") return kibibytes * 1024;
  }
  return kNoLimit;
}

// A number in a file of the control group; "max" and no file mean no limit.
uint64_t number_in(const char* path) {
  std::ifstream file(path);
  uint64_t number = 0;
  return file >> number ? number : kNoLimit;
}

uint64_t left_in_group() {
  const uint64_t limit = number_in("/sys/fs/cgroup/memory.max");
  const uint64_t used = number_in("/sys/fs/cgroup/memory.current");
  if (limit == kNoLimit || used == kNoLimit) return kNoLimit;
  return limit > used ? limit - used : 0;
}

}  // namespace

uint64_t free_memory_bytes() { return std::min(available_of_machine(), left_in_group()); }

}  // namespace tq::cli
