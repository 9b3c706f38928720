// SPDX-License-Identifier: Apache-2.0
#include "runtime/wakeup.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "transfer_queue/error.h"

namespace tq::runtime {

Wakeup::Wakeup() : descriptor_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (descriptor_ < 0)
    throw Error(ErrorCode::kUnavailable, "this process may open no more files (ulimit -n)");
}

Wakeup::~Wakeup() { ::close(descriptor_); }

void Wakeup::notify() noexcept {
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(descriptor_, &one, sizeof one);
}

void Wakeup::drain() noexcept {
  uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(descriptor_, &count, sizeof count);
}

bool Wakeup::is_notified() const noexcept {
  pollfd item{descriptor_, POLLIN, 0};
  return ::poll(&item, 1, 0) > 0;
}

}  // namespace tq::runtime
