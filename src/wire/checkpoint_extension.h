// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/limits.h"
#include "wire/value.h"

namespace tq::wire {

/// One file of a checkpoint that a unit is to load.
struct CheckpointFile {
  std::string path;
  int64_t unit = 0;                     // which unit wrote it
  std::optional<std::string> checksum;  // as the manifest has it
};

/// What a C++ client tells a C++ node about a LOAD request, under `x_tq`: a load in two phases, of
/// a share of several files. None of it: load body.path, at once.
struct CheckpointOrder {
  static constexpr std::string_view kPrepare = "prepare";  // read and check, change nothing
  static constexpr std::string_view kCommit = "commit";    // take what was prepared
  static constexpr std::string_view kAbort = "abort";      // forget it

  std::string phase;  // empty: at once
  std::string token;  // of the load that the phases belong to
  int64_t unit = 0;   // the one that is asked, of so many
  int64_t units = 1;
  int64_t saved_units = 1;
  std::vector<CheckpointFile> files;

  /// As keys of an extension.
  Map to_extension() const;
  /// The order in a body; nothing when there is none. Throws Error(kWrongType), (kInvalidArgument)
  /// or (kLimit) naming the key.
  static std::optional<CheckpointOrder> of(const Value& body, const Limits& limits);
};

/// What a C++ node tells a C++ client about a file that it saved, under `x_tq`.
struct CheckpointReceipt {
  int64_t size_bytes = 0;
  std::string checksum;

  Map to_extension() const;
  /// Nothing when there is none, as from Python's nodes.
  static std::optional<CheckpointReceipt> of(const Value& body);
};

}  // namespace tq::wire
