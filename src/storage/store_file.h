// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "checkpoint/reader.h"
#include "checkpoint/writer.h"
#include "storage/store.h"

namespace tq::storage {

/// Which samples of a file a unit takes: those with `global_index % units == unit`.
struct Share {
  int64_t unit = 0;
  int64_t units = 1;

  bool has(int64_t index) const noexcept { return index % units == unit; }
};

/// Writes a store as sections of a file, row by row from where the rows lie. Throws Error(kLimit)
/// for a row that no reader would take, and what the writer's sink throws.
void write_store(const StoreSnapshot& snapshot, std::string_view unit_id,
                 checkpoint::Writer& writer);

/// Adds what a file holds to `store`, a fresh one: all of it, or one unit's share, which `written`
/// says the file is of. Throws Error naming the file: of the reader; for sections that do not
/// belong together, samples that are not of the share that `written` names, or more than the store
/// takes. `store` is of no more use then.
void read_store(checkpoint::Reader& reader, const Share& written, const Share& wanted,
                Store& store);

}  // namespace tq::storage
