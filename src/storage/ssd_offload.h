// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ssd/folder.h"
#include "storage/incoming.h"
#include "wire/limits.h"

namespace tq::storage {

/// Where a unit keeps its large rows, and which those are.
struct SsdOffload {
  std::shared_ptr<ssd::Folder> folder;
  uint64_t threshold_bytes;
  wire::Limits limits;  // of what is read back
};
using SsdPointer = std::shared_ptr<const SsdOffload>;

/// The rows of a put that shall lie on the SSD: by column, their positions, ascending.
struct SsdPlan {
  std::vector<std::vector<uint32_t>> positions;
  size_t values = 0;
  size_t bytes = 0;  // what they are counted with in memory
};

SsdPlan plan_offload(const Incoming& incoming, const SsdOffload& offload);

/// Writes the planned rows into one new segment and lets go of them in memory. When that fails they
/// all stay as they are, and the folder counts them; so does a row that could not be read back.
/// Blocks on the disk.
void offload_rows(Incoming& incoming, const SsdPlan& plan, const SsdPointer& offload);

}  // namespace tq::storage
