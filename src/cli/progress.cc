// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace tq::cli {

Progress::Progress(size_t steps) : shown_(::isatty(STDERR_FILENO) == 1), steps_(steps) {}

Progress::~Progress() {
  constexpr const char* kWipeLine = "\r\033[K";
  if (shown_ && begun_ > 0) fmt::print(stderr, "{}", kWipeLine);
}

void Progress::next(const std::string& what) {
  constexpr size_t kWidth = 30;
  if (!shown_) return;
  const size_t full = std::min(kWidth, kWidth * begun_++ / std::max<size_t>(1, steps_));
  fmt::print(stderr, "\r\033[K[{}{}] {}", std::string(full, '#'), std::string(kWidth - full, '.'),
             what);
  std::fflush(stderr);
}

}  // namespace tq::cli
