// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace tq::runtime {

/// A file descriptor that is closed with its owner. -1: none. Not thread-safe.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();

  int get() const noexcept { return number_; }
  bool is_open() const noexcept { return number_ >= 0; }
  int release() noexcept;

 private:
  int number_ = -1;
};

/// A file that appears under its name whole and synced, or not at all: it is written beside, under
/// a name of its own, and renamed by commit(). A crash leaves the file that was there before, and
/// perhaps the unfinished one beside it, NAME.partial-XXXXXXXX. All calls block on the disk and
/// throw Error(kUnavailable) naming the path and the reason. Not thread-safe.
class AtomicFile {
 public:
  /// A file `name` in an open folder. `shown` is its path for errors.
  AtomicFile(Descriptor folder, std::string name, std::filesystem::path shown);
  /// The same by path.
  explicit AtomicFile(const std::filesystem::path& path);
  /// Removes what was not committed.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  /// Syncs the file, gives it its name, and syncs the folder. Once only.
  void commit();

 private:
  void open_temporary();
  [[noreturn]] void fail(int error) const;

  Descriptor folder_;
  std::string name_;
  std::filesystem::path shown_;
  std::string temporary_;  // its name until it is committed
  Descriptor file_;
};

/// Makes the entries of a folder durable. Throws Error(kUnavailable).
void sync_folder(const std::filesystem::path& folder);

}  // namespace tq::runtime
