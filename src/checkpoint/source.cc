// SPDX-License-Identifier: Apache-2.0
#include "checkpoint/source.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "transfer_queue/error.h"

namespace tq::checkpoint {

FileSource::FileSource(runtime::Descriptor file, std::string name)
    : file_(std::move(file)), name_(std::move(name)) {
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("{} is no regular file", name_));
  }
  size_ = static_cast<uint64_t>(status.st_size);
}

size_t FileSource::read(std::byte* to, size_t size) {
  while (true) {
    const ssize_t got = ::read(file_.get(), to, size);
    if (got >= 0) return static_cast<size_t>(got);
    if (errno == EINTR) continue;
    throw Error(ErrorCode::kUnavailable,
                fmt::format("cannot read {}: {}", name_, std::generic_category().message(errno)));
  }
}

size_t MemorySource::read(std::byte* to, size_t size) {
  const size_t count = std::min(size, left_.size());
  if (count > 0) std::memcpy(to, left_.data(), count);
  left_.remove_prefix(count);
  return count;
}

}  // namespace tq::checkpoint
