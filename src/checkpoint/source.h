// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/atomic_file.h"

namespace tq::checkpoint {

/// Bytes to be read once, from the front. Not thread-safe.
class Source {
 public:
  virtual ~Source() = default;
  /// For errors: the path of a file.
  virtual const std::string& name() const noexcept = 0;
  virtual uint64_t size() const noexcept = 0;
  /// Up to `size` bytes; 0 at the end. Throws Error(kUnavailable).
  virtual size_t read(std::byte* to, size_t size) = 0;
};

/// A regular file. Blocks on the disk.
class FileSource final : public Source {
 public:
  /// Throws Error(kInvalidArgument) for what is no regular file.
  FileSource(runtime::Descriptor file, std::string name);
  const std::string& name() const noexcept override { return name_; }
  uint64_t size() const noexcept override { return size_; }
  size_t read(std::byte* to, size_t size) override;

 private:
  runtime::Descriptor file_;
  std::string name_;
  uint64_t size_ = 0;
};

/// Bytes in memory, which must outlive this.
class MemorySource final : public Source {
 public:
  explicit MemorySource(std::string_view bytes, std::string name = "the bytes")
      : left_(bytes), name_(std::move(name)), size_(bytes.size()) {}
  const std::string& name() const noexcept override { return name_; }
  uint64_t size() const noexcept override { return size_; }
  size_t read(std::byte* to, size_t size) override;

 private:
  std::string_view left_;
  std::string name_;
  uint64_t size_;
};

}  // namespace tq::checkpoint
