// SPDX-License-Identifier: Apache-2.0
#include "cli/child_nodes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <vector>

#include "transfer_queue/error.h"

namespace tq::cli {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorCode::kUnavailable, fmt::format("cannot start nodes: {}", what));
}

std::filesystem::path new_folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "tq-nodes-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) fail(std::generic_category().message(errno));
  return pattern;
}

// In the child, between fork and exec: only what is safe there.
[[noreturn]] void become_nodes(int output, char* const* arguments, char* const* environment) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::dup2(output, STDOUT_FILENO);
  ::execve("/proc/self/exe", arguments, environment);
  ::_exit(127);
}

// Ours without what is meant for nodes that stay: a fixed port may be theirs, a file may give other
// units or keys.
std::vector<char*> environment_of_nodes() {
  constexpr std::array<std::string_view, 4> kNotTheirs = {
      "TQ_METRICS_PORT=", "TQ_CONFIG=", "TQ_CURVE_KEY=", "TQ_CURVE_CLIENTS="};
  std::vector<char*> environment;
  for (char** variable = ::environ; *variable != nullptr; ++variable) {
    const bool passes_on = std::none_of(
        kNotTheirs.begin(), kNotTheirs.end(),
        [&](std::string_view name) { return std::string_view(*variable).starts_with(name); });
    if (passes_on) environment.push_back(*variable);
  }
  environment.push_back(nullptr);
  return environment;
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
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const std::vector<char*> environment = environment_of_nodes();
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) fail(std::generic_category().message(errno));
  process_ = ::fork();
  if (process_ == 0) become_nodes(pipe[1], arguments.data(), environment.data());
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
