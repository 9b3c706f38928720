// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

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

}  // namespace tq::cli
