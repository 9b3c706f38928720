// SPDX-License-Identifier: Apache-2.0
#include "cli/file_limit.h"

#include <sys/resource.h>

namespace tq::cli {

void raise_file_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace tq::cli
