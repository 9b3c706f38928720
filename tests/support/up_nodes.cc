// SPDX-License-Identifier: Apache-2.0
#include "support/up_nodes.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <string>
#include <system_error>

namespace tq::test {
namespace {

constexpr int kStartMs = 60'000;  // far more than it takes, on the busiest machine

std::filesystem::path fresh_folder() {
  std::string name = std::filesystem::temp_directory_path() / "tq_up_XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a folder: " + name);
  return name;
}

// What comes before the first newline or the end of the stream.
std::string first_line(int fd) {
  std::string line;
  char c = 0;
  pollfd readable{fd, POLLIN, 0};
  while (::poll(&readable, 1, kStartMs) == 1 && ::read(fd, &c, 1) == 1 && c != '\n') line += c;
  return line;
}

}  // namespace

UpNodes::UpNodes(const std::filesystem::path& program, const std::vector<std::string>& options)
    : folder_(fresh_folder()) {
  std::vector<std::string> words = {program, "up", "--units", "2", "--info-dir", folder_};
  words.insert(words.end(), options.begin(), options.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int pipe_fds[2];
  if (::pipe(pipe_fds) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(pipe_fds[1], STDOUT_FILENO);
    ::close(pipe_fds[0]);
    ::close(pipe_fds[1]);
    ::execv(program.c_str(), arguments.data());
    ::_exit(127);
  }
  ::close(pipe_fds[1]);
  const std::string line = first_line(pipe_fds[0]);
  ::close(pipe_fds[0]);
  if (line.empty()) {
    const int status = stop();
    throw std::runtime_error(program.string() + " up printed no ready line; its exit status is " +
                             std::to_string(status));
  }
}

UpNodes::~UpNodes() {
  stop();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

int UpNodes::stop() {
  if (pid_ <= 0) return -1;
  ::kill(pid_, SIGTERM);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace tq::test
