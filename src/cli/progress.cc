// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>

namespace tq::cli {
namespace {

constexpr const char* kWipeLine = "\r\033[K";

}  // namespace

Progress::Progress(size_t steps) : shown_(::isatty(STDERR_FILENO) == 1), steps_(steps) {}

Progress::~Progress() {
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

LiveLine::LiveLine(std::function<std::string()> text) {
  if (::isatty(STDERR_FILENO) != 1) return;
  writer_ = std::jthread([text = std::move(text)](const std::stop_token& stop) {
    constexpr auto kEvery = std::chrono::milliseconds(200);
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    do {
      fmt::print(stderr, "{}{}", kWipeLine, text());
      std::fflush(stderr);
    } while (!stopped.wait_for(lock, stop, kEvery, [&] { return stop.stop_requested(); }));
    fmt::print(stderr, "{}", kWipeLine);
  });
}

}  // namespace tq::cli
