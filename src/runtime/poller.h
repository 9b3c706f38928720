// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>

#include "zmtp/tcp.h"

namespace tq::runtime {

/// Waits for many descriptors at once (epoll) and calls what each was watched with. A callback may
/// watch, change and forget any of them. Used by one thread.
class Poller {
 public:
  using Callback = std::function<void()>;
  /// Names a watched descriptor; never used twice.
  using Watch = uint64_t;

  Poller();  // throws Error(kUnavailable) when the process is out of descriptors

  /// Calls `ready` whenever there is something to read, or the connection ended; with `writable`
  /// also when there is room to write. Throws Error(kUnavailable).
  Watch watch(int descriptor, Callback ready);
  void set_writable(Watch watch, int descriptor, bool writable);
  void forget(Watch watch, int descriptor) noexcept;

  /// Waits for up to `timeout_ms` (-1: for ever) and calls back.
  void wait(int timeout_ms);

 private:
  zmtp::Descriptor epoll_;
  bool was_ready_ = false;
  Watch next_ = 0;
  std::unordered_map<Watch, Callback> callbacks_;
};

}  // namespace tq::runtime
