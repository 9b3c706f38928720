// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/atomic_file.h"
#include "transfer_queue/slice.h"

namespace tq::ssd {

class Folder;

/// Where some bytes lie in a segment.
struct Extent {
  uint64_t offset = 0;
  uint64_t size = 0;
};

/// A file of a folder, written once and then only read. Whoever holds it can read it; with the last
/// holder it becomes a chore of the folder to remove it. Its name is never used again. Thread-safe.
class Segment {
 public:
  Segment(std::shared_ptr<Folder> folder, std::string name)
      : folder_(std::move(folder)), name_(std::move(name)) {}
  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  const std::string& name() const noexcept { return name_; }
  const Folder& folder() const noexcept { return *folder_; }
  /// For errors.
  std::string path() const;

  /// These bytes are not read again: the folder's chores give their space back.
  void release(const Extent& extent) const noexcept;

 private:
  std::shared_ptr<Folder> folder_;
  std::string name_;
};

/// Writes a new segment. What is not finished is removed. Blocks on the disk; throws
/// Error(kUnavailable) naming the file and the reason. Not thread-safe.
class SegmentWriter {
 public:
  explicit SegmentWriter(std::shared_ptr<Folder> folder);

  /// Adds the slices, one after the other; they may be written later.
  Extent append(std::vector<Slice> slices);
  /// All is written when this returns. Once only.
  std::shared_ptr<const Segment> finish();

 private:
  void flush();

  std::shared_ptr<const Segment> segment_;
  runtime::Descriptor file_;
  std::vector<Slice> pending_;  // appended and not written
  size_t pending_bytes_ = 0;
  uint64_t end_ = 0;
};

/// Reads a segment, which must outlive it. Not thread-safe.
class SegmentReader {
 public:
  /// Throws Error(kUnavailable) naming the file.
  explicit SegmentReader(const Segment& segment);

  /// Fills `to` with all bytes of the extent. Blocks on the disk. Throws Error(kUnavailable), also
  /// when the file ends before.
  void read(const Extent& extent, std::byte* to) const;
  const Segment& segment() const noexcept { return segment_; }

 private:
  const Segment& segment_;
  runtime::Descriptor file_;
};

}  // namespace tq::ssd
