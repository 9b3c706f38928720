// SPDX-License-Identifier: Apache-2.0
#include "runtime/process_memory.h"

#include <unistd.h>

#include <cstdio>
#include <memory>

namespace tq::runtime {

int64_t process_rss_bytes() noexcept {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/proc/self/statm", "r"), &fclose);
  long long total_pages = 0;
  long long resident_pages = 0;
  if (file == nullptr) return 0;
  if (std::fscanf(file.get(), "%lld %lld", &total_pages, &resident_pages) != 2) return 0;
  return resident_pages * sysconf(_SC_PAGESIZE);
}

}  // namespace tq::runtime
