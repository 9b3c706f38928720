// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <iterator>
#include <thread>

namespace tq::test {

/// Threads of this process.
inline size_t own_threads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<size_t>(std::distance(begin(tasks), end(tasks)));
}

/// The same, before a test makes any. ThreadSanitizer has one of its own from the first thread on.
inline size_t own_threads_at_rest() {
  std::thread([] {}).join();
  return own_threads();
}

}  // namespace tq::test
