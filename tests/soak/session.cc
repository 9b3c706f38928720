// SPDX-License-Identifier: Apache-2.0
#include "soak/session.h"

#include <poll.h>
#include <unistd.h>

#include <fstream>
#include <iostream>

namespace tq::soak {
namespace {

constexpr double kLateMax = 1.0;  // seconds: "no client call outlives its deadline by more"
constexpr int kSayMs = 1000;

// Seconds that this thread was ready to run, but had no core. A call makes its way on its caller's
// thread, so this is what a busy machine, and not the client, adds to it.
double waited_for_core() {
  std::ifstream stat("/proc/thread-self/schedstat");
  double ran = 0, waited = 0;
  stat >> ran >> waited;
  return waited / 1e9;
}

std::mutex output_mutex;

void print(const Json& line) {
  const std::string text = line.dump() + "\n";
  const std::lock_guard lock(output_mutex);
  std::cout << text << std::flush;
}

}  // namespace

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Session::Session(Settings settings) : settings_(std::move(settings)) {}

std::shared_ptr<TransferQueueClient> Session::client() {
  const std::lock_guard lock(joining_);
  if (is_stale_) {
    ClientOptions options;
    options.deadline = settings_.deadline;
    client_ = std::make_shared<TransferQueueClient>(Nodes::read(settings_.info_dir), options);
    is_stale_ = false;
  }
  return client_;
}

Outcome Session::call(const char* name, int questions,
                      const std::function<void(TransferQueueClient&)>& work,
                      std::chrono::milliseconds wait) {
  Outcome outcome;
  std::string message;
  std::shared_ptr<TransferQueueClient> joined;
  outcome.began = now_seconds();
  double waited = 0;
  try {
    joined = client();
    outcome.began = now_seconds();
    waited = waited_for_core();
    work(*joined);
    outcome.ok = true;
  } catch (const Error& error) {
    outcome.code = error.code();
    message = error.what();
  }
  outcome.ended = now_seconds();
  note(joined ? name : "join", outcome, message);
  if (!joined) return outcome;
  const double allowed =
      std::chrono::duration<double>(questions * settings_.deadline + wait).count();
  const double late = outcome.ended - outcome.began - allowed - (waited_for_core() - waited);
  {
    const std::lock_guard lock(counts_mutex_);
    latest_ = std::max(latest_, late);
  }
  if (late > kLateMax) {
    violation(std::string(name) + " took " + std::to_string(outcome.ended - outcome.began) +
              " s, where " + std::to_string(allowed) + " s are allowed: " + message);
  }
  return outcome;
}

void Session::note(const char* name, const Outcome& outcome, const std::string& message) {
  const std::string error = outcome.ok ? "" : python_name(outcome.code);
  {
    const std::lock_guard lock(counts_mutex_);
    ++(outcome.ok ? done_[name] : failed_[std::string(name) + " " + error]);
  }
  if (!outcome.ok) {
    tell({{"kind", "error"},
          {"call", name},
          {"error", error},
          {"message", message},
          {"began", outcome.began},
          {"ended", outcome.ended}});
  }
}

void Session::violation(const std::string& what) {
  tell({{"kind", "violation"}, {"what", what}, {"at", now_seconds()}});
}

void Session::tell(const Json& line) { print(line); }

bool Session::next() {
  std::unique_lock lock(pace_mutex_);
  pace_changed_.wait_for(lock, pause_, [&] { return is_over_; });
  return !is_over_;
}

void Session::obey(const std::string& command) {
  if (command == "nodes") {
    const std::lock_guard lock(joining_);
    is_stale_ = true;
    return;
  }
  const std::lock_guard lock(pace_mutex_);
  if (command.rfind("pause ", 0) == 0) {
    pause_ = std::chrono::milliseconds(std::stol(command.substr(6)));
  } else if (command == "stop") {
    is_over_ = true;
  }
  pace_changed_.notify_all();
}

void Session::say_counts() {
  Json line = {{"kind", "counts"}, {"bytes", bytes_.exchange(0)}};
  {
    const std::lock_guard lock(counts_mutex_);
    line["done"] = std::exchange(done_, {});
    line["failed"] = std::exchange(failed_, {});
    line["late"] = std::exchange(latest_, 0.0);
  }
  print(line);
}

void Session::serve_input() {
  std::string text;
  char chunk[256];
  bool is_open = true;
  while (is_open) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, kSayMs) > 0) {
      const ssize_t count = ::read(STDIN_FILENO, chunk, sizeof chunk);
      is_open = count > 0;
      if (is_open) text.append(chunk, static_cast<size_t>(count));
      for (size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
        const std::string command = text.substr(0, end);
        obey(command);
        is_open = is_open && command != "stop";
      }
    } else {
      say_counts();
    }
  }
  obey("stop");
}

}  // namespace tq::soak
