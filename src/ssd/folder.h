// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/atomic_file.h"
#include "ssd/segment.h"

namespace tq::ssd {

/// What a unit keeps on an SSD.
struct Settings {
  std::filesystem::path path;  // empty: nothing
  /// Rows of this many bytes or more.
  uint64_t threshold_bytes = uint64_t{1} << 20;
};

/// The folder of one unit, named as upstream names it: PATH/transfer_queue_ssd_offload/RUN/UNIT,
/// where RUN is drawn once a process. A lock in it tells that its process lives; what dead ones
/// left is removed by the next one that starts there. Removing a file may take a disk long, so it
/// is a chore: the loop hands chores to a thread of its own. Thread-safe.
class Folder : public std::enable_shared_from_this<Folder> {
 public:
  static constexpr const char* kRootName = "transfer_queue_ssd_offload";

  /// Makes it, and PATH if need be. Throws Error(kInvalidArgument) for a path that is no folder or
  /// a working folder that is a link, Error(kUnavailable) when it cannot be made; both name it.
  Folder(const std::filesystem::path& path, const std::string& unit_id);
  /// Removes it with all that is in it.
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }

  std::string next_name();
  /// A file in it, following no link; none with errno set when that fails.
  runtime::Descriptor open(const std::string& name, int flags) const noexcept;

  void discard(const std::string& name) noexcept;
  void release(const std::string& name, const Extent& extent) noexcept;
  /// What there is to remove, as work for another thread; empty when there is nothing.
  std::function<void()> take_chores();

  /// Values that stay in memory because they could not be written. The first failure after a
  /// success is a line in the log.
  void write_failed(const std::string& why, size_t values);
  void write_succeeded();
  int64_t fallback_values() const;

 private:
  struct Chores {
    std::vector<std::string> discarded;
    std::vector<std::pair<std::string, Extent>> released;
  };

  void make_unit(const std::string& unit_id);
  void lock();
  void run(Chores& chores) const noexcept;

  std::filesystem::path path_;
  runtime::Descriptor root_;
  runtime::Descriptor run_;
  runtime::Descriptor unit_;
  runtime::Descriptor lock_;
  mutable std::mutex mutex_;
  Chores chores_;
  uint64_t segments_ = 0;
  int64_t fallback_values_ = 0;
  bool is_failing_ = false;
};

}  // namespace tq::ssd
