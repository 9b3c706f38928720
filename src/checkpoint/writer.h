// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "checkpoint/checksum.h"
#include "checkpoint/format.h"
#include "memory/out_message.h"

namespace tq::checkpoint {

/// Writes the file of one node, section by section, in pieces of about a megabyte: what it keeps
/// does not grow with the file. Not thread-safe.
class Writer {
 public:
  /// Where the bytes go; may throw, and the Writer is then of no more use.
  using Sink = std::function<void(std::string_view)>;

  Writer(Kind kind, Sink sink);
  /// One section: a value as wire::Encoder wrote it.
  void section(Tag tag, const OutMessage& value);
  /// The end. Call it once, last.
  Summary finish();

 private:
  void add(std::string_view bytes);
  void add_number(uint64_t number, size_t bytes);
  void flush();

  Sink sink_;
  std::string buffer_;
  Checksum checksum_;
  uint64_t size_bytes_ = 0;
};

}  // namespace tq::checkpoint
