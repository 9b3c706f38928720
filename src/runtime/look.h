// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <thread>

namespace tq::runtime {

/// Asks `found` again and again for that long, before the caller lets its core sleep: a core that
/// sleeps takes longer to wake (50 us on a virtual machine) than a node to answer a small request.
/// Gives way to other threads meanwhile. Returns whether it was found.
template <class Found>
bool look_for(std::chrono::microseconds time, Found&& found) {
  const auto until = std::chrono::steady_clock::now() + time;
  do {
    if (found()) return true;
    std::this_thread::yield();
  } while (std::chrono::steady_clock::now() < until);
  return false;
}

}  // namespace tq::runtime
