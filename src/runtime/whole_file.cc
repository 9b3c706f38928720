// SPDX-License-Identifier: Apache-2.0
#include "runtime/whole_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "transfer_queue/error.h"

namespace tq::runtime {
namespace {

[[noreturn]] void fail_to_write(const std::filesystem::path& file, int error) {
  throw Error(ErrorCode::kUnavailable,
              fmt::format("cannot write {}: {}", file.string(), std::strerror(error)));
}

[[noreturn]] void fail_to_read(const std::filesystem::path& file, int error) {
  throw Error(ErrorCode::kNotFound,
              fmt::format("cannot read {}: {}", file.string(), std::strerror(error)));
}

// Closes the descriptor, and removes the file unless its path was cleared.
struct OpenFile {
  std::filesystem::path remove_path;
  int descriptor;
  ~OpenFile() {
    if (descriptor >= 0) ::close(descriptor);
    if (!remove_path.empty()) ::unlink(remove_path.c_str());
  }
};

bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

void write_file(const std::filesystem::path& file, std::string_view bytes) {
  std::string pattern = file.string() + ".XXXXXX";
  OpenFile temporary{{}, ::mkstemp(pattern.data())};
  if (temporary.descriptor < 0) fail_to_write(file, errno);
  temporary.remove_path = pattern;
  if (!write_all(temporary.descriptor, bytes) || ::fchmod(temporary.descriptor, 0644) != 0 ||
      ::fsync(temporary.descriptor) != 0 || ::rename(pattern.c_str(), file.c_str()) != 0) {
    fail_to_write(file, errno);
  }
  temporary.remove_path.clear();
}

std::string read_file(const std::filesystem::path& file) {
  const OpenFile open_file{{}, ::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  if (open_file.descriptor < 0) fail_to_read(file, errno);
  std::string bytes;
  struct stat status {};
  if (::fstat(open_file.descriptor, &status) == 0 && status.st_size > 0) {
    bytes.reserve(static_cast<size_t>(status.st_size) + 1);
  }
  constexpr size_t kStep = 1 << 20;
  while (true) {
    const size_t size = bytes.size();
    bytes.resize(size + std::max<size_t>(kStep, bytes.capacity() - size));
    const ssize_t got = ::read(open_file.descriptor, bytes.data() + size, bytes.size() - size);
    bytes.resize(size + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return bytes;
    if (got < 0 && errno != EINTR) fail_to_read(file, errno);
  }
}

}  // namespace tq::runtime
