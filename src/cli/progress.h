// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <thread>

namespace tq::cli {

/// A bar on standard error while long work runs; nothing at all when that is no terminal. The
/// destructor wipes it.
class Progress {
 public:
  explicit Progress(size_t steps);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// One more step begins.
  void next(const std::string& what);

 private:
  const bool shown_;
  const size_t steps_;
  size_t begun_ = 0;
};

/// A line on standard error that is written anew several times a second while one long call runs;
/// nothing at all when that is no terminal. The destructor wipes it.
class LiveLine {
 public:
  /// `text` is called on a thread of its own and must not throw.
  explicit LiveLine(std::function<std::string()> text);
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;

 private:
  std::jthread writer_;
};

}  // namespace tq::cli
