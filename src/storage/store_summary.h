// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/reader.h"

namespace tq::storage {

/// What a unit's file tells of one field.
struct FieldSummary {
  std::string name;
  size_t rows = 0;
  size_t bytes = 0;   // as Rows::bytes_at counts
  std::string dtype;  // "float32", numpy's "<f4", "str"; "mixed"; empty without rows
  std::string shape;  // of one row: "[3, *]", where * differs; empty for what has none
};

/// What a unit's file tells of the unit, as far as it could be read.
struct StoreSummary {
  std::string unit_id;
  int64_t samples = 0;
  std::vector<FieldSummary> fields;  // in their order
};

/// Reads a unit's file to its end into `summary`, keeping no rows: it takes the memory of one
/// section. Throws Error naming the file and the place: of the reader, and for sections that a load
/// would refuse by themselves.
void summarize_store(checkpoint::Reader& reader, StoreSummary& summary);

}  // namespace tq::storage
