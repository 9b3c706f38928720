// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/checksum.h"
#include "cli/json_value.h"
#include "storage/store_summary.h"

namespace tq::cli {

/// What lies in the folder of a checkpoint, read without nodes.
struct CheckpointView {
  struct Partition {
    std::string id;
    size_t samples = 0;
    size_t keys = 0;
    std::vector<std::pair<std::string, size_t>> produced;  // samples by field
    std::vector<std::pair<std::string, size_t>> consumed;  // samples by task
  };
  /// The file of one node. Whatever comes before what is damaged is told.
  struct File {
    std::string path;  // below the folder
    bool is_controller = false;
    std::optional<uint64_t> size_bytes;  // nothing: it is not there
    std::optional<uint32_t> version;     // of the format; nothing where that cannot be told
    std::string problem;                 // empty: checksums and content are fine
    std::string checksum;                // of the whole file, as manifests have it
    storage::StoreSummary unit;          // of a unit
    std::string controller_id;           // of a controller
    std::vector<Partition> partitions;   // of a controller
    const std::string& node() const noexcept {
      return is_controller ? controller_id : unit.unit_id;
    }
    int64_t samples() const noexcept;
    size_t keys() const noexcept;
  };

  std::filesystem::path folder;
  std::string saved_at;  // UTC, when the folder's metadata was written
  Json metadata;
  bool has_manifest = false;
  std::vector<File> files;  // the controller's first

  size_t damaged() const noexcept;
};

/// Reads all files of a checkpoint to their ends, one after the other; memory for the controller's
/// state and one section of a unit. Throws Error: kNotFound for a folder that is no checkpoint,
/// kUnsupported for one that a Python node or a later release saved, kDecode where the lists of
/// files themselves are damaged. Blocks on the disk.
CheckpointView look_at_checkpoint(const std::filesystem::path& folder);

/// Bytes of the files in a folder, of those that are there; 0 without one.
uint64_t bytes_in(const std::filesystem::path& folder);

/// Samples that the units of a checkpoint hold, by the first section of each file; nothing where
/// Python nodes saved one, or a file cannot be read.
std::optional<int64_t> samples_in(const std::filesystem::path& folder);

/// For people; lines with line ends.
std::string checkpoint_text(const CheckpointView& view);
/// For programs.
Json checkpoint_json(const CheckpointView& view);

}  // namespace tq::cli
