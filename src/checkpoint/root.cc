// SPDX-License-Identifier: Apache-2.0
#include "checkpoint/root.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "transfer_queue/error.h"
#include "wire/utf8.h"

namespace tq::checkpoint {
namespace {

namespace fs = std::filesystem;

bool is_below(const fs::path& root, const fs::path& path) {
  return std::mismatch(root.begin(), root.end(), path.begin(), path.end()).first == root.end();
}

[[noreturn]] void fail_to_open(const std::string& path, const std::error_code& error) {
  throw Error(ErrorCode::kNotFound, fmt::format("cannot open {}: {}", path, error.message()));
}

std::error_code last_error() { return {errno, std::generic_category()}; }

}  // namespace

Root::Root(const fs::path& folder) {
  std::error_code error;
  folder_ = fs::canonical(folder, error);
  if (error || !fs::is_directory(folder_, error)) {
    throw Error(ErrorCode::kNotFound,
                fmt::format("the checkpoint root {} is no folder; create it, or name another with "
                            "--checkpoint-root",
                            folder.string()));
  }
}

void Root::refuse(const std::string& path) const {
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{} does not lie below {}, the checkpoint root of this node; choose a "
                          "path there, or start the node with another --checkpoint-root",
                          path, folder_.string()));
}

fs::path Root::confined(const std::string& path) const {
  if (path.empty() || path.find('\0') != std::string::npos) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is no path of a file", wire::printable(path)));
  }
  return fs::absolute(path);
}

// Without links and "..". Whether something is there is told of places below the root alone.
fs::path Root::resolved(const fs::path& path, const std::string& shown) const {
  std::error_code error;
  fs::path found = fs::canonical(path, error);
  if (!error) {
    if (!is_below(folder_, found)) refuse(shown);
    return found;
  }
  std::error_code ignored;
  if (!is_below(folder_, fs::weakly_canonical(path, ignored))) refuse(shown);
  fail_to_open(shown, error);
}

runtime::Descriptor Root::open_folder(const fs::path& below, const std::string& shown) const {
  constexpr int kStep = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  runtime::Descriptor folder(::open(folder_.c_str(), kStep | O_RDONLY));
  if (!folder.is_open()) fail_to_open(shown, last_error());
  for (const fs::path& name : below) {
    if (name.empty() || name == ".") continue;
    runtime::Descriptor next(::openat(folder.get(), name.c_str(), kStep | O_RDONLY));
    if (!next.is_open()) fail_to_open(shown, last_error());
    folder = std::move(next);
  }
  return folder;
}

std::unique_ptr<runtime::AtomicFile> Root::create(const std::string& path) const {
  const fs::path file = confined(path);
  const std::string name = file.filename();
  if (name.empty() || name == "." || name == "..") {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} names no file, but a folder", wire::printable(path)));
  }
  const fs::path folder = resolved(file.parent_path(), path);
  return std::make_unique<runtime::AtomicFile>(
      open_folder(folder.lexically_relative(folder_), path), name, folder / name);
}

FileSource Root::open(const std::string& path) const {
  const fs::path file = resolved(confined(path), path);
  if (file == folder_) throw Error(ErrorCode::kInvalidArgument, path + " is a folder");
  const runtime::Descriptor folder =
      open_folder(file.parent_path().lexically_relative(folder_), path);
  // Not waiting for the writer of a pipe.
  runtime::Descriptor opened(::openat(folder.get(), file.filename().c_str(),
                                      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!opened.is_open()) fail_to_open(path, last_error());
  return {std::move(opened), file.string()};
}

const Root& require(const RootPointer& root, const std::string& path) {
  if (root != nullptr) return *root;
  throw Error(ErrorCode::kUnsupported,
              fmt::format("this node was started without a checkpoint root, so it saves and loads "
                          "nothing; start it with --checkpoint-root DIR (or TQ_CHECKPOINT_ROOT), a "
                          "folder above {}",
                          wire::printable(path)));
}

}  // namespace tq::checkpoint
