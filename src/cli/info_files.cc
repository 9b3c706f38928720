// SPDX-License-Identifier: Apache-2.0
#include "cli/info_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "runtime/unit_file.h"

namespace tq::cli {
namespace {

// Open and locked, or nothing when another has a lock that excludes this one. Where the file is not
// there, or the file system has no locks, nobody holds it.
std::optional<runtime::Descriptor> try_lock(const std::filesystem::path& file, int operation) {
  runtime::Descriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (opened.is_open() && ::flock(opened.get(), operation | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return std::nullopt;
  }
  return opened;
}

// Shared, so that two who look are not taken for one who holds it.
bool is_used(const std::filesystem::path& file) { return !try_lock(file, LOCK_SH); }

[[noreturn]] void fail_used(const std::filesystem::path& file) {
  throw Error(ErrorCode::kUnavailable,
              fmt::format("{} is the address of a node that runs in another process; end that one "
                          "first, or have this one's address written elsewhere",
                          file.string()));
}

}  // namespace

InfoFiles::~InfoFiles() {
  for (const auto& [file, info, lock] : written_) {
    try {
      // Where there are no locks, another run may have put its own address there meanwhile.
      if (ServerInfo::read(file).id == info.id) std::filesystem::remove(file);
    } catch (const std::exception& error) {
      spdlog::debug("address file not removed: {}", error.what());
    }
  }
}

void InfoFiles::write(const std::filesystem::path& file, const ServerInfo& info) {
  check_unused(file);
  info.write(file);
  auto lock = try_lock(file, LOCK_EX);
  if (!lock) fail_used(file);  // another run wrote its own at this very moment
  written_.push_back({file, info, std::move(*lock)});
}

void check_unused(const std::filesystem::path& file) {
  if (is_used(file)) fail_used(file);
}

std::string endpoint_of(const ServerInfo& node) {
  return node.ports.empty() ? node.ip : tcp_endpoint(node.ip, node.ports.front().second);
}

void prepare_info_dir(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (!error && !std::filesystem::is_directory(directory)) {
    error = std::make_error_code(std::errc::not_a_directory);
  }
  if (!error && ::access(directory.c_str(), W_OK | X_OK) != 0) {
    error = std::error_code(errno, std::generic_category());
  }
  if (error) {
    throw Error(ErrorCode::kUnavailable,
                fmt::format("cannot write addresses into {}: {}; choose another folder",
                            directory.string(), error.message()));
  }
}

void remove_leftover_units(const std::filesystem::path& directory, int units) {
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::optional<int> number = runtime::unit_number(entry.path());
    if (!number || *number < units || is_used(entry.path())) continue;
    std::filesystem::remove(entry.path());
    spdlog::info("removed {} of an earlier run with more units", entry.path().string());
  }
}

}  // namespace tq::cli
