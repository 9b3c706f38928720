// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "checkpoint/checksum.h"
#include "checkpoint/format.h"
#include "checkpoint/source.h"
#include "wire/limits.h"
#include "wire/value.h"

namespace tq::checkpoint {

struct Section {
  Tag tag;
  wire::Value value;
  uint64_t at;  // where in the file it begins
};

/// Reads the file of one node, which may hold anything: each section is checked against its
/// checksum before it is decoded, nothing in it is executed, and what it announces is checked
/// against what the file has before memory is taken. Buffers of a section are read into memory of
/// their own, so that a row that stays pins no other. Throws Error naming the file and the place:
/// kDecode for what is damaged, cut off or foreign, kUnsupported for a file of Python's nodes or of
/// a later version. Not thread-safe.
class Reader {
 public:
  /// Reads the preamble. `source` must outlive the reader.
  Reader(Source& source, Kind kind, const wire::Limits& limits);

  /// The next section; nothing after the last one, when the file has ended where it should.
  std::optional<Section> next();
  /// Of the whole file, once next() gave nothing.
  Summary summary() const { return {at_, checksum_.value()}; }

  const std::string& name() const noexcept { return source_.name(); }
  const wire::Limits& limits() const noexcept { return limits_; }

  /// For what a section says that cannot be: names file and place.
  [[noreturn]] void fail(uint64_t at, const std::string& what) const;

 private:
  void read(std::byte* to, size_t size);
  uint64_t read_number(size_t bytes);
  uint64_t left() const noexcept { return source_.size() > at_ ? source_.size() - at_ : 0; }
  wire::Slice read_frame(uint64_t size);
  void read_checksum(uint64_t section_at);
  void require_kind(Kind kind, uint32_t number) const;
  void refuse_foreign(std::string_view start) const;

  Source& source_;
  const wire::Limits limits_;
  Checksum checksum_;
  uint64_t at_ = 0;
};

}  // namespace tq::checkpoint
