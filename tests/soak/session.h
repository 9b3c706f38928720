// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "transfer_queue/kv.h"

namespace tq::soak {

using Json = nlohmann::json;

struct Settings {
  std::string info_dir;
  int number = 0;  // of this worker; its partitions and keys have it in their names
  std::chrono::milliseconds deadline{2000};
};

/// How a call ended. Times are seconds of the machine's monotonic clock, the same in all processes.
struct Outcome {
  bool ok = false;
  ErrorCode code = ErrorCode::kInternal;  // when not ok
  double began = 0, ended = 0;

  /// Of a get: rows are not there.
  bool is_missing() const { return !ok && code == ErrorCode::kNotFound; }
};

/// What the threads of one worker share: the client, the pace and the end that are told on standard
/// input, and the JSON lines on standard output, by which the soak learns what happened.
/// Thread-safe.
class Session {
 public:
  explicit Session(Settings settings);

  /// Makes a call, notes how it ended, and says so when it was later than its deadlines allow.
  /// `questions` is how many deadlines it may take, one after the other; `wait` comes on top. An
  /// error that a fault may explain (a node that cannot be reached) is for the soak to judge.
  Outcome call(const char* name, int questions,
               const std::function<void(TransferQueueClient&)>& work,
               std::chrono::milliseconds wait = {});

  /// A guarantee that does not hold.
  void violation(const std::string& what);
  /// Something else that the soak should know.
  void tell(const Json& line);
  /// Bytes of payload that were put or got.
  void count_bytes(size_t bytes) { bytes_ += bytes; }

  /// Waits as long as the pace asks; false when the worker shall end.
  bool next();
  /// Reads standard input until it ends: "pause MS", "nodes" (their addresses have changed) and
  /// "stop". Says each second what was done.
  void serve_input();
  /// What was done since it was said last.
  void say_counts();

  const Settings& settings() const { return settings_; }

 private:
  std::shared_ptr<TransferQueueClient> client();
  void note(const char* name, const Outcome& outcome, const std::string& message);
  void obey(const std::string& command);

  const Settings settings_;
  std::mutex joining_;
  std::shared_ptr<TransferQueueClient> client_;  // under joining_
  bool is_stale_ = true;                         // under joining_

  std::mutex counts_mutex_;
  std::map<std::string, int64_t> done_, failed_;  // by call; by call and error
  double latest_ = 0;  // most seconds that a call outlived its deadlines by
  std::atomic<size_t> bytes_ = 0;

  std::mutex pace_mutex_;
  std::condition_variable pace_changed_;
  std::chrono::milliseconds pause_{0};  // under pace_mutex_
  bool is_over_ = false;                // under pace_mutex_
};

/// Seconds of the monotonic clock.
double now_seconds();

/// A number below `bound`.
inline size_t below(std::mt19937_64& random, size_t bound) {
  return static_cast<size_t>(random() % bound);
}

}  // namespace tq::soak
