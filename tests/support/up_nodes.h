// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace tq::test {

/// The program `tq up` with two storage units, in a process of its own, as users run it: for tests
/// of the client that link no room of ours. Ends with the object; the kernel ends it if the test
/// dies before.
class UpNodes {
 public:
  /// Starts it with these further flags and waits for its ready line. Throws std::runtime_error
  /// that says what went wrong.
  explicit UpNodes(const std::filesystem::path& program, std::vector<std::string> flags = {});
  ~UpNodes();
  UpNodes(const UpNodes&) = delete;
  UpNodes& operator=(const UpNodes&) = delete;

  /// The folder with the addresses.
  const std::filesystem::path& folder() const noexcept { return folder_; }
  pid_t process() const noexcept { return pid_; }
  /// SIGTERM; the exit status, or -1 where a signal ended it. Blocks until it ended.
  int stop();

 private:
  std::filesystem::path folder_;
  pid_t pid_ = -1;
};

}  // namespace tq::test
