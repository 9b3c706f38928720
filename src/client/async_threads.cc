// SPDX-License-Identifier: Apache-2.0
#include "client/async_threads.h"

#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "transfer_queue/error.h"

namespace tq::client {

AsyncThreads::~AsyncThreads() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void AsyncThreads::run(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  queue_.push_back(std::move(work));
  if (idle_ < queue_.size()) start_thread();
  wake_.notify_one();
}

void AsyncThreads::start_thread() {
  try {
    threads_.emplace_back([this] { loop(); });
  } catch (const std::system_error& error) {
    queue_.pop_back();
    throw Error(ErrorCode::kUnavailable,
                fmt::format("no thread can be started for one more asynchronous call, beside the "
                            "{} that the client has: {}",
                            threads_.size(), error.what()));
  }
}

void AsyncThreads::loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    --idle_;
    if (queue_.empty()) return;
    std::function<void()> work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work();
    work = nullptr;  // not under the lock: what it holds may free gigabytes, or call this client
    lock.lock();
  }
}

}  // namespace tq::client
