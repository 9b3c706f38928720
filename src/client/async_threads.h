// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tq::client {

/// Threads for the asynchronous functions: as many as there are calls at once, so that one that
/// waits holds up no other; idle ones are used again. The destructor waits for the calls that are
/// running or queued.
class AsyncThreads {
 public:
  AsyncThreads() = default;
  ~AsyncThreads();
  AsyncThreads(const AsyncThreads&) = delete;
  AsyncThreads& operator=(const AsyncThreads&) = delete;

  /// Thread-safe, does not block. Throws Error(kUnavailable) when the process may start no thread
  /// for the work; it is not run then.
  void run(std::function<void()> work);

 private:
  void start_thread();
  void loop();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  size_t idle_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tq::client
