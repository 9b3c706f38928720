// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

/// The file of one node's checkpoint (docs/checkpoints.md, "The file"). Numbers are little-endian.
///
///   preamble   kMagic, u32 version, u32 kind
///   sections   u32 tag, u32 frames, u64 bytes of all frames,
///              u64 size of each frame, the frames, u64 checksum of the file up to here
///   the last section has the tag kEnd and no frames; nothing follows it
///
/// The frames of a section are one value in the wire's own form: a msgpack header and buffers.
namespace tq::checkpoint {

/// To a Python node, which reads its checkpoints with pickle.load, this is the order to import a
/// module of that name: it fails with "No module named '...'" and so says what to do.
inline constexpr std::string_view kMagic =
    "cThis is a checkpoint of TransferQueue nodes in C++, load it into such nodes\nv\n";
inline constexpr uint32_t kVersion = 1;

enum class Kind : uint32_t { kController = 1, kStorageUnit = 2 };

enum class Tag : uint32_t {
  kEnd = 0,
  // Of a storage unit: kUnit, then kSamples, then kRows.
  kUnit = 1,
  kSamples = 2,
  kRows = 3,
  // Of a controller: kController, kIndexes, kSampler, then each partition with what belongs to it.
  kController = 16,
  kIndexes = 17,
  kSampler = 18,
  kPartition = 19,
  kField = 20,
  kTask = 21,
  kKeys = 22,
  kTags = 23,
  kBackendMeta = 24,
};

}  // namespace tq::checkpoint
