// SPDX-License-Identifier: Apache-2.0
#include "cli/signals.h"

#include <cerrno>
#include <csignal>
#include <ctime>

namespace tq::cli {
namespace {

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

}  // namespace

void block_stop_signals() {
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int wait_for_stop() {
  const sigset_t signals = stop_signals();
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
  return signal;
}

bool stop_within(double seconds) {
  const sigset_t signals = stop_signals();
  const auto whole = static_cast<time_t>(seconds);
  timespec patience{whole, static_cast<long>((seconds - static_cast<double>(whole)) * 1e9)};
  for (;;) {
    if (sigtimedwait(&signals, nullptr, &patience) > 0) return true;
    if (errno != EINTR) return false;
  }
}

}  // namespace tq::cli
