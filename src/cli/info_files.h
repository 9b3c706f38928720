// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <vector>

#include "transfer_queue/endpoint.h"

namespace tq::cli {

/// The address files of running nodes; removed again on a clean end, so that nobody finds the
/// address of a node that is gone.
class InfoFiles {
 public:
  InfoFiles() = default;
  ~InfoFiles();
  InfoFiles(const InfoFiles&) = delete;
  InfoFiles& operator=(const InfoFiles&) = delete;

  /// Writes one address. Throws Error(kUnavailable) naming path and reason.
  void write(const std::filesystem::path& file, const ServerInfo& info);

 private:
  std::vector<std::pair<std::filesystem::path, ServerInfo>> written_;
};

/// Creates the folder if it is not there and checks that it can be written; throws
/// Error(kUnavailable) with the reason, before any node was started.
void prepare_info_dir(const std::filesystem::path& directory);

/// Removes storage-N.json with N >= units: left by a run with more units, they would send clients
/// to nodes that are not there.
void remove_leftover_units(const std::filesystem::path& directory, int units);

}  // namespace tq::cli
