// SPDX-License-Identifier: Apache-2.0
#include "ssd/leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <unistd.h>

#include <memory>
#include <string_view>
#include <vector>

namespace tq::ssd {
namespace {

std::vector<std::string> names_in(int folder) {
  std::vector<std::string> names;
  const int again = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (again < 0) return names;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(again), ::closedir);
  if (entries == nullptr) {
    ::close(again);
    return names;
  }
  // NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's is safe on a stream of one's own
  while (const dirent* entry = ::readdir(entries.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

bool is_ours(std::string_view name) { return name == kLockName || name.ends_with(kSegmentEnding); }

bool remove_if_dead(int run, const std::string& name) {
  const runtime::Descriptor unit = open_folder(run, name);
  if (!unit.is_open()) return false;
  const runtime::Descriptor lock(
      ::openat(unit.get(), kLockName, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!lock.is_open() || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return false;
  remove_unit(run, name, unit.get());
  return true;
}

}  // namespace

runtime::Descriptor open_folder(int parent, const std::string& name) noexcept {
  return runtime::Descriptor(
      ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

void remove_unit(int run, const std::string& name, int unit) noexcept {
  try {
    for (const std::string& file : names_in(unit)) {
      if (is_ours(file)) ::unlinkat(unit, file.c_str(), 0);
    }
  } catch (const std::bad_alloc&) {
    // The next process that starts there removes what is left.
  }
  ::unlinkat(run, name.c_str(), AT_REMOVEDIR);
}

void remove_leftovers(int root) {
  size_t removed = 0;
  for (const std::string& run_name : names_in(root)) {
    const runtime::Descriptor run = open_folder(root, run_name);
    if (!run.is_open()) continue;
    size_t removed_here = 0;
    for (const std::string& unit : names_in(run.get())) {
      if (remove_if_dead(run.get(), unit)) ++removed_here;
    }
    if (removed_here > 0) ::unlinkat(root, run_name.c_str(), AT_REMOVEDIR);
    removed += removed_here;
  }
  if (removed > 0) spdlog::info("removed the rows that {} dead units left on the SSD", removed);
}

}  // namespace tq::ssd
