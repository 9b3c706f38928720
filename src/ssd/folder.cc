// SPDX-License-Identifier: Apache-2.0
#include "ssd/folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <system_error>
#include <unordered_set>

#include "ssd/leftovers.h"
#include "transfer_queue/error.h"

namespace tq::ssd {
namespace {

namespace fs = std::filesystem;

// A hole smaller than this frees hardly a block for its system call.
constexpr uint64_t kHoleBytesMin = uint64_t{64} << 10;

const std::string& run_id() {
  static const std::string id = [] {
    std::random_device random;
    return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
  }();
  return id;
}

[[noreturn]] void fail_to_make(const fs::path& path, const std::string& why) {
  throw Error(ErrorCode::kUnavailable,
              fmt::format("cannot make the folder {} for rows on the SSD: {}", path.string(), why));
}

// The folder that the user names may be a link; what lies below it is ours.
fs::path make_path(const fs::path& path) {
  std::error_code error;
  if (fs::exists(path, error) && !fs::is_directory(path, error)) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} is no folder, so no rows can lie there; name a folder with "
                            "--ssd-path",
                            path.string()));
  }
  fs::create_directories(path, error);
  if (error) fail_to_make(path, error.message());
  fs::path found = fs::canonical(path, error);
  if (error) fail_to_make(path, error.message());
  return found;
}

runtime::Descriptor make_root(const fs::path& root) {
  if (::mkdir(root.c_str(), 0777) != 0 && errno != EEXIST) {
    fail_to_make(root, std::generic_category().message(errno));
  }
  runtime::Descriptor folder = open_folder(AT_FDCWD, root.string());
  if (folder.is_open()) return folder;
  if (errno != ENOTDIR && errno != ELOOP) {
    fail_to_make(root, std::generic_category().message(errno));
  }
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{} must be a folder, not a link or a file; remove it, or name another "
                          "folder with --ssd-path",
                          root.string()));
}

}  // namespace

Folder::Folder(const fs::path& path, const std::string& unit_id) {
  const fs::path root = make_path(path) / kRootName;
  root_ = make_root(root);
  path_ = root / run_id() / unit_id;
  remove_leftovers(root_.get());
  make_unit(unit_id);
  lock();
}

// Another process that cleans up may remove the run's folder as long as it is empty.
void Folder::make_unit(const std::string& unit_id) {
  constexpr int kTries = 16;
  for (int i = 0; i < kTries; ++i) {
    if (::mkdirat(root_.get(), run_id().c_str(), 0700) != 0 && errno != EEXIST) break;
    run_ = open_folder(root_.get(), run_id());
    if (!run_.is_open() || ::mkdirat(run_.get(), unit_id.c_str(), 0700) != 0) {
      if (errno == ENOENT) continue;
      break;
    }
    unit_ = open_folder(run_.get(), unit_id);
    if (unit_.is_open()) return;
    break;
  }
  fail_to_make(path_, std::generic_category().message(errno));
}

// Locked before it has its name: nobody finds it unlocked while this process lives.
void Folder::lock() {
  const std::string beside = std::string(kLockName) + ".new";
  lock_ = open(beside, O_RDWR | O_CREAT | O_EXCL);
  if (!lock_.is_open() || ::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0 ||
      ::renameat(unit_.get(), beside.c_str(), unit_.get(), kLockName) != 0) {
    const std::string why = std::generic_category().message(errno);
    ::unlinkat(unit_.get(), beside.c_str(), 0);
    ::unlinkat(run_.get(), path_.filename().c_str(), AT_REMOVEDIR);
    fail_to_make(path_, why);
  }
}

Folder::~Folder() {
  remove_unit(run_.get(), path_.filename(), unit_.get());
  ::unlinkat(root_.get(), run_id().c_str(), AT_REMOVEDIR);  // unless another unit is there
}

std::string Folder::next_name() {
  const std::lock_guard lock(mutex_);
  return fmt::format("{:012}{}", ++segments_, kSegmentEnding);
}

runtime::Descriptor Folder::open(const std::string& name, int flags) const noexcept {
  return runtime::Descriptor(
      ::openat(unit_.get(), name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, 0600));
}

void Folder::discard(const std::string& name) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    chores_.discarded.push_back(name);
  } catch (const std::bad_alloc&) {
    ::unlinkat(unit_.get(), name.c_str(), 0);  // late is better than never
  }
}

void Folder::release(const std::string& name, const Extent& extent) noexcept {
  if (extent.size < kHoleBytesMin) return;
  try {
    const std::lock_guard lock(mutex_);
    chores_.released.emplace_back(name, extent);
  } catch (const std::bad_alloc&) {
    // Its space comes back with the segment.
  }
}

std::function<void()> Folder::take_chores() {
  auto chores = std::make_shared<Chores>();
  {
    const std::lock_guard lock(mutex_);
    if (chores_.discarded.empty() && chores_.released.empty()) return {};
    std::swap(*chores, chores_);
  }
  return [folder = shared_from_this(), chores] { folder->run(*chores); };
}

// A hole that cannot be made costs space until the segment goes, and nothing else.
void Folder::run(Chores& chores) const noexcept {
  for (const std::string& name : chores.discarded) ::unlinkat(unit_.get(), name.c_str(), 0);
  // Rows of one segment die in a row, so it is mostly opened once.
  std::string opened;
  runtime::Descriptor file;
  for (const auto& [name, extent] : chores.released) {
    if (name != opened) {
      file = open(name, O_WRONLY);  // fails for one that is gone
      opened = name;
    }
    if (!file.is_open()) continue;
    ::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                static_cast<off_t>(extent.offset), static_cast<off_t>(extent.size));
  }
}

void Folder::write_failed(const std::string& why, size_t values) {
  const std::lock_guard lock(mutex_);
  fallback_values_ += static_cast<int64_t>(values);
  if (std::exchange(is_failing_, true)) return;
  spdlog::warn("{}; {} values stay in memory, as will others until a write succeeds", why, values);
}

void Folder::write_succeeded() {
  const std::lock_guard lock(mutex_);
  is_failing_ = false;
}

int64_t Folder::fallback_values() const {
  const std::lock_guard lock(mutex_);
  return fallback_values_;
}

}  // namespace tq::ssd
