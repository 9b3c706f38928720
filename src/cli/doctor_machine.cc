// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <set>
#include <string>

#include "cli/doctor_checks.h"
#include "cli/free_memory.h"
#include "cli/table.h"

namespace tq::cli {
namespace {

using Level = Finding::Level;

// Each connection of a client is a file, and clients up to 0.1.10 open one for each request.
constexpr rlim_t kFilesWanted = 4096;
constexpr int64_t kBacklogWanted = 4096;  // --backlog
constexpr uint64_t kMemoryWanted = uint64_t{1} << 30;

// Of upstream, of a part of it that is not here, or of its clients: known, and not ours.
constexpr std::array kOfUpstream = {
    "TQ_ACCEPT_PROBE_INTERVAL",
    "TQ_CLIENT_ZMQ_IO_THREADS",
    "TQ_CLIENT_ZMQ_MAX_SOCKETS",
    "TQ_CONTROLLER_ZMQ_MAX_SOCKETS",
    "TQ_DATA_UPDATE_RESPONSE_TIMEOUT",
    "TQ_METRICS_COLLECT_INTERVAL",
    "TQ_NUM_THREADS",
    "TQ_PERF_LOG_FLUSH_INTERVAL",
    "TQ_SIMPLE_STORAGE_MAX_ATTEMPTS",
    "TQ_SIMPLE_STORAGE_PROBE_TIMEOUT",
    "TQ_SIMPLE_STORAGE_SEND_RECV_TIMEOUT",
    "TQ_SOCKET_POOL_SIZE",
    "TQ_STORAGE_HANDSHAKE_MAX_RETRIES",
    "TQ_STORAGE_HANDSHAKE_RETRY_INTERVAL",
    "TQ_STORAGE_HANDSHAKE_TIMEOUT",
    "TQ_STORAGE_POLLER_TIMEOUT",
    "TQ_STREAMING_DATASET_EMPTY_BATCH_SLEEP_INTERVAL",
    // Of tools beside the program: the Python package of these nodes and the tests.
    "TQ_BACKEND",
    "TQ_CPP_BIN",
    "TQ_BIN",
    "TQ_PYTHON_ENV",
    "TQ_CHECKPOINT_ROOT",
};

void check_files(Findings& findings) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max >= kFilesWanted) return;
  findings.push_back(
      {Level::kWarning, "files",
       fmt::format("a process here may open {} files, and each connection is one", limit.rlim_max),
       fmt::format("allow more to who starts nodes: ulimit -Hn {}, or LimitNOFILE= "
                   "of systemd",
                   16 * kFilesWanted)});
}

void check_backlog(Findings& findings) {
  std::ifstream file("/proc/sys/net/core/somaxconn");
  int64_t most = kBacklogWanted;
  file >> most;
  if (most >= kBacklogWanted) return;
  findings.push_back({Level::kWarning, "connections",
                      fmt::format("the kernel lets {} connections wait to be accepted, fewer than "
                                  "--backlog asks for",
                                  most),
                      fmt::format("sysctl -w net.core.somaxconn={}", kBacklogWanted)});
}

void check_memory(Findings& findings) {
  const uint64_t free = free_memory_bytes();
  if (free >= kMemoryWanted) return;
  findings.push_back(
      {Level::kWarning, "memory",
       fmt::format("{} of memory are free here", bytes_text(static_cast<double>(free))),
       "give units a bound (--capacity-bytes), clear samples sooner, or move units "
       "to another machine"});
}

void collect_variables(const CLI::App& command, std::set<std::string>& names) {
  for (const CLI::Option* option : command.get_options()) names.insert(option->get_envname());
  for (const CLI::App* sub : command.get_subcommands([](const CLI::App*) { return true; })) {
    collect_variables(*sub, names);
  }
}

}  // namespace

void check_machine(Findings& findings) {
  const size_t before = findings.size();
  check_memory(findings);
  check_files(findings);
  check_backlog(findings);
  if (findings.size() > before) return;
  findings.push_back({Level::kOk, "machine",
                      fmt::format("{} of memory free, {} processors",
                                  bytes_text(static_cast<double>(free_memory_bytes())),
                                  ::sysconf(_SC_NPROCESSORS_ONLN)),
                      ""});
}

void check_settings(const CLI::App& program, const std::vector<std::string>& of_file,
                    Findings& findings) {
  std::set<std::string> names(kOfUpstream.begin(), kOfUpstream.end());
  collect_variables(program, names);
  const size_t before = findings.size();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::string name = text.substr(0, text.find('='));
    if (!name.starts_with("TQ_") || names.contains(name)) continue;
    findings.push_back({Level::kWarning, "environment",
                        fmt::format("{} is set, which nothing reads", name),
                        "see 'tq config up' for the names; a misspelt one has no effect"});
  }
  for (const std::string& warning : of_file) {
    findings.push_back({Level::kWarning, "settings", warning,
                        "see 'tq --config FILE config up' for what is read of it"});
  }
  if (findings.size() > before) return;
  // One with a wrong value, or a wrong configuration file, ended this program before it came here.
  findings.push_back(
      {Level::kOk, "settings", "environment variables and configuration file are in order", ""});
}

}  // namespace tq::cli
