// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace tq::cli {

/// Nodes in a process of their own: `tq up` with an address folder that is removed at the end. They
/// end with this object, and with this process however it ends. Not thread-safe.
class ChildNodes {
 public:
  /// Starts them, on loopback and without keys, and waits until they are ready. Throws
  /// Error(kUnavailable) with what they said.
  explicit ChildNodes(int units);
  ~ChildNodes();
  ChildNodes(const ChildNodes&) = delete;
  ChildNodes& operator=(const ChildNodes&) = delete;

  const std::filesystem::path& info_dir() const noexcept { return info_dir_; }
  /// Ends them. Throws Error(kInternal) when they did not end well.
  void stop();

 private:
  int end_process() noexcept;

  std::filesystem::path info_dir_;
  pid_t process_ = -1;
};

}  // namespace tq::cli
