// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "runtime/atomic_file.h"
#include "transfer_queue/endpoint.h"

namespace tq::cli {

/// The address files of running nodes. Each is locked as long as this process lives, however it
/// ends, so that no other run puts its own address there; removed again on a clean end, so that
/// nobody finds the address of a node that is gone.
class InfoFiles {
 public:
  InfoFiles() = default;
  ~InfoFiles();
  InfoFiles(const InfoFiles&) = delete;
  InfoFiles& operator=(const InfoFiles&) = delete;

  /// Writes one address. Throws Error(kUnavailable) naming path and reason, as check_unused() does.
  void write(const std::filesystem::path& file, const ServerInfo& info);

 private:
  struct Written {
    std::filesystem::path file;
    ServerInfo info;
    runtime::Descriptor lock;
  };
  std::vector<Written> written_;
};

/// Throws Error(kUnavailable) when this is the address of a node that runs, in whatever process.
/// One that a killed run left is none.
void check_unused(const std::filesystem::path& file);

/// Where a node is said to be: its first port, which is the one that --bind names.
std::string endpoint_of(const ServerInfo& node);

/// Creates the folder if it is not there and checks that it can be written; throws
/// Error(kUnavailable) with the reason, before any node was started.
void prepare_info_dir(const std::filesystem::path& directory);

/// Removes storage-N.json with N >= units, unless their nodes run: left by a run with more units,
/// they would send clients to nodes that are not there.
void remove_leftover_units(const std::filesystem::path& directory, int units);

}  // namespace tq::cli
