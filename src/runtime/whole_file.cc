// SPDX-License-Identifier: Apache-2.0
#include "runtime/whole_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "runtime/atomic_file.h"
#include "transfer_queue/error.h"

namespace tq::runtime {
namespace {

[[noreturn]] void fail_to_read(const std::filesystem::path& file, int error) {
  throw Error(ErrorCode::kNotFound, fmt::format("cannot read {}: {}", file.string(),
                                                std::generic_category().message(error)));
}

}  // namespace

void write_file(const std::filesystem::path& file, std::string_view bytes) {
  AtomicFile whole(file);
  whole.write(bytes);
  whole.commit();
}

std::string read_file(const std::filesystem::path& file) {
  const Descriptor open_file(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!open_file.is_open()) fail_to_read(file, errno);
  std::string bytes;
  struct stat status {};
  if (::fstat(open_file.get(), &status) == 0 && status.st_size > 0) {
    bytes.reserve(static_cast<size_t>(status.st_size) + 1);
  }
  constexpr size_t kStep = 1 << 20;
  while (true) {
    const size_t size = bytes.size();
    bytes.resize(size + std::max<size_t>(kStep, bytes.capacity() - size));
    const ssize_t got = ::read(open_file.get(), bytes.data() + size, bytes.size() - size);
    bytes.resize(size + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return bytes;
    if (got < 0 && errno != EINTR) fail_to_read(file, errno);
  }
}

}  // namespace tq::runtime
