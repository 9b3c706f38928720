// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace tq::runtime {

/// Wakes a polling thread from any other thread or from a signal handler: an eventfd.
class Wakeup {
 public:
  Wakeup();  // throws Error(kUnavailable) when the process is out of descriptors
  ~Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  void notify() noexcept;
  void drain() noexcept;
  /// Whether it was notified and not drained since.
  bool is_notified() const noexcept;
  int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace tq::runtime
