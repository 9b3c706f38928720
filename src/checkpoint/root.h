// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "checkpoint/source.h"
#include "runtime/atomic_file.h"

namespace tq::checkpoint {

/// The folder below which a node saves and loads. What a peer names is resolved first, links and
/// `..` included, and the result is then opened step by step from the root, following no link: so
/// a link that somebody puts there meanwhile leads nowhere. All calls block on the disk.
/// Thread-safe.
class Root {
 public:
  /// Throws Error(kNotFound) when the folder is not there.
  explicit Root(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const noexcept { return folder_; }

  /// A file to be written at `path`, in a folder that is there already. A relative path counts from
  /// the node's working directory, as for Python's nodes. Throws Error(kInvalidArgument) for a path
  /// that is not below the root, Error(kNotFound), Error(kUnavailable).
  std::unique_ptr<runtime::AtomicFile> create(const std::string& path) const;
  /// A file to be read. Throws the same.
  FileSource open(const std::string& path) const;

 private:
  std::filesystem::path confined(const std::string& path) const;
  std::filesystem::path resolved(const std::filesystem::path& path, const std::string& shown) const;
  /// The folder `below` the root, opened for use.
  runtime::Descriptor open_folder(const std::filesystem::path& below,
                                  const std::string& shown) const;
  [[noreturn]] void refuse(const std::string& path) const;

  std::filesystem::path folder_;  // without links
};

using RootPointer = std::shared_ptr<const Root>;

/// The root, or Error(kUnsupported) for a node that was started without one: it says which flag to
/// give.
const Root& require(const RootPointer& root, const std::string& path);

}  // namespace tq::checkpoint
