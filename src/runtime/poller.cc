// SPDX-License-Identifier: Apache-2.0
#include "runtime/poller.h"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "runtime/look.h"
#include "transfer_queue/error.h"

namespace tq::runtime {
namespace {

constexpr int kEventsInTurn = 64;

// How long a node that has just served looks for more before it sleeps.
constexpr std::chrono::microseconds kLookFor{50};

}  // namespace

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_.is_open()) {
    throw Error(ErrorCode::kUnavailable, std::generic_category().message(errno));
  }
}

Poller::Watch Poller::watch(int descriptor, Callback ready) {
  const Watch watch = next_++;
  epoll_event event{EPOLLIN, {.u64 = watch}};
  if (::epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, descriptor, &event) != 0) {
    throw Error(ErrorCode::kUnavailable, std::generic_category().message(errno));
  }
  callbacks_.emplace(watch, std::move(ready));
  return watch;
}

void Poller::set_writable(Watch watch, int descriptor, bool writable) {
  epoll_event event{EPOLLIN | (writable ? EPOLLOUT : 0U), {.u64 = watch}};
  ::epoll_ctl(epoll_.number(), EPOLL_CTL_MOD, descriptor, &event);
}

void Poller::forget(Watch watch, int descriptor) noexcept {
  if (descriptor >= 0) ::epoll_ctl(epoll_.number(), EPOLL_CTL_DEL, descriptor, nullptr);
  callbacks_.erase(watch);
}

void Poller::wait(int timeout_ms) {
  std::array<epoll_event, kEventsInTurn> events;
  int count = 0;
  const auto look = [&](int wait_ms) {
    count = ::epoll_wait(epoll_.number(), events.data(), kEventsInTurn, wait_ms);
    return count != 0;
  };
  const bool more_is_likely = timeout_ms != 0 && was_ready_;
  if (!more_is_likely || !look_for(kLookFor, [&] { return look(0); })) look(timeout_ms);
  was_ready_ = count > 0;
  if (count < 0 && errno != EINTR) {
    throw Error(ErrorCode::kUnavailable, std::generic_category().message(errno));
  }
  for (int i = 0; i < count; ++i) {
    // One that was called before may have forgotten this one.
    const auto found = callbacks_.find(events[static_cast<size_t>(i)].data.u64);
    if (found == callbacks_.end()) continue;
    const Callback ready = found->second;  // may forget itself
    ready();
  }
}

}  // namespace tq::runtime
