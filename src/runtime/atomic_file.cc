// SPDX-License-Identifier: Apache-2.0
#include "runtime/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <random>
#include <system_error>
#include <utility>

#include "transfer_queue/error.h"

namespace tq::runtime {
namespace {

[[noreturn]] void fail_to_write(const std::filesystem::path& path, int error) {
  throw Error(ErrorCode::kUnavailable, fmt::format("cannot write {}: {}", path.string(),
                                                   std::generic_category().message(error)));
}

Descriptor open_folder(const std::filesystem::path& folder) {
  const std::filesystem::path named = folder.empty() ? "." : folder;
  return Descriptor(::open(named.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

Descriptor folder_of(const std::filesystem::path& path) {
  Descriptor folder = open_folder(path.parent_path());
  if (!folder.is_open()) fail_to_write(path, errno);
  return folder;
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (number_ >= 0) ::close(number_);
    number_ = other.release();
  }
  return *this;
}

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

int Descriptor::release() noexcept { return std::exchange(number_, -1); }

AtomicFile::AtomicFile(Descriptor folder, std::string name, std::filesystem::path shown)
    : folder_(std::move(folder)), name_(std::move(name)), shown_(std::move(shown)) {
  open_temporary();
}

AtomicFile::AtomicFile(const std::filesystem::path& path)
    : AtomicFile(folder_of(path), path.filename(), path) {}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlinkat(folder_.get(), temporary_.c_str(), 0);
}

void AtomicFile::open_temporary() {
  constexpr int kTries = 16;
  std::random_device random;
  for (int i = 0; i < kTries && !file_.is_open(); ++i) {
    temporary_ = fmt::format("{}.partial-{:08x}", name_, random());
    file_ = Descriptor(::openat(folder_.get(), temporary_.c_str(),
                                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!file_.is_open() && errno != EEXIST) break;
  }
  if (file_.is_open()) return;
  temporary_.clear();
  fail(errno);
}

void AtomicFile::fail(int error) const { fail_to_write(shown_, error); }

void AtomicFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(errno);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

void AtomicFile::commit() {
  if (::fchmod(file_.get(), 0644) != 0 || ::fsync(file_.get()) != 0) fail(errno);
  if (::renameat(folder_.get(), temporary_.c_str(), folder_.get(), name_.c_str()) != 0) fail(errno);
  temporary_.clear();
  if (::fsync(folder_.get()) != 0 && errno != EINVAL) fail(errno);  // EINVAL: it cannot be synced
}

void sync_folder(const std::filesystem::path& folder) {
  const Descriptor open = open_folder(folder);
  if (!open.is_open() || (::fsync(open.get()) != 0 && errno != EINVAL)) {
    fail_to_write(folder, errno);
  }
}

}  // namespace tq::runtime
