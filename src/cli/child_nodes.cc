// SPDX-License-Identifier: Apache-2.0
#include "cli/child_nodes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "transfer_queue/error.h"

namespace tq::cli {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorCode::kUnavailable, fmt::format("cannot start nodes: {}", what));
}

std::filesystem::path new_folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "tq-nodes-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) fail(std::strerror(errno));
  return pattern;
}

// In the child, between fork and exec: only what is safe there.
[[noreturn]] void become_nodes(int output, char* const* arguments) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::dup2(output, STDOUT_FILENO);
  ::execv("/proc/self/exe", arguments);
  ::_exit(127);
}

// The first line that the nodes print; empty when they ended without one.
std::string first_line(int output) {
  std::string line;
  char c = 0;
  while (::read(output, &c, 1) == 1 && c != '\n') line += c;
  return line;
}

}  // namespace

ChildNodes::ChildNodes(int units) : info_dir_(new_folder()) {
  std::vector<std::string> words = {
      "tq", "up", "--units", std::to_string(units), "--info-dir", info_dir_.string()};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  // Meant for nodes that stay: a fixed port may be theirs, a file may give other units or keys.
  for (const char* variable :
       {"TQ_METRICS_PORT", "TQ_CONFIG", "TQ_CURVE_KEY", "TQ_CURVE_CLIENTS"}) {
    ::unsetenv(variable);
  }
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) fail(std::strerror(errno));
  process_ = ::fork();
  if (process_ == 0) become_nodes(pipe[1], arguments.data());
  ::close(pipe[1]);
  const std::string line = process_ > 0 ? first_line(pipe[0]) : std::string();
  ::close(pipe[0]);
  if (line.empty()) fail("they ended at once; their last words stand above");
}

ChildNodes::~ChildNodes() {
  end_process();
  std::error_code ignored;
  std::filesystem::remove_all(info_dir_, ignored);
}

int ChildNodes::end_process() noexcept {
  if (process_ <= 0) return 0;
  int status = 0;
  ::kill(process_, SIGTERM);
  while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
  return status;
}

void ChildNodes::stop() {
  if (const int status = end_process(); status != 0) {
    throw Error(ErrorCode::kInternal,
                fmt::format("the nodes ended with {} {}", WIFSIGNALED(status) ? "signal" : "status",
                            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)));
  }
}

}  // namespace tq::cli
