// SPDX-License-Identifier: Apache-2.0
#include "cli/signals.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <system_error>

#include "transfer_queue/error.h"

namespace tq::cli {
namespace {

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// Whether nothing more will come. What is written into the pipe means nothing.
bool at_end(int descriptor) {
  std::array<char, 512> ignored;
  const ssize_t size = ::read(descriptor, ignored.data(), ignored.size());
  return size == 0 || (size < 0 && errno != EINTR && errno != EAGAIN);
}

}  // namespace

void add_stop_options(CLI::App& command, StopSettings& settings) {
  command
      .add_option("--until-eof", settings.until_eof,
                  "End also at the end of file of this descriptor, e.g. 0 for a pipe as standard "
                  "input: when the process that holds its other end is gone")
      ->type_name("DESCRIPTOR");
}

void block_stop_signals(const StopSettings& settings) {
  if (settings.until_eof && ::fcntl(*settings.until_eof, F_GETFD) < 0) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("--until-eof {}: there is no such descriptor; 0 is standard input",
                            *settings.until_eof));
  }
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file past its limit is an error of the write
}

void wait_for_stop(const StopSettings& settings) {
  const sigset_t signals = stop_signals();
  const int signal_fd = ::signalfd(-1, &signals, SFD_CLOEXEC);
  if (signal_fd < 0) {
    throw Error(ErrorCode::kUnavailable,
                fmt::format("cannot wait for signals: {}", std::generic_category().message(errno)));
  }
  std::array<pollfd, 2> watched = {
      pollfd{signal_fd, POLLIN, 0},
      pollfd{settings.until_eof.value_or(-1), POLLIN, 0},  // poll leaves out what is negative
  };
  for (;;) {
    if (::poll(watched.data(), watched.size(), -1) < 0) continue;
    if (watched[0].revents != 0) break;
    if (watched[1].revents != 0 && at_end(watched[1].fd)) {
      spdlog::info("the process that started this one is gone; ending");
      break;
    }
  }
  ::close(signal_fd);
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
