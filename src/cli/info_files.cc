// SPDX-License-Identifier: Apache-2.0
#include "cli/info_files.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "runtime/unit_file.h"

namespace tq::cli {

InfoFiles::~InfoFiles() {
  for (const auto& [file, info] : written_) {
    try {
      // Another run may have put its own address there meanwhile.
      if (ServerInfo::read(file).id == info.id) std::filesystem::remove(file);
    } catch (const std::exception& error) {
      spdlog::debug("address file not removed: {}", error.what());
    }
  }
}

void InfoFiles::write(const std::filesystem::path& file, const ServerInfo& info) {
  info.write(file);
  written_.emplace_back(file, info);
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
    if (!number || *number < units) continue;
    std::filesystem::remove(entry.path());
    spdlog::info("removed {} of an earlier run with more units", entry.path().string());
  }
}

}  // namespace tq::cli
