// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "storage/block.h"
#include "wire/messages.h"

namespace tq::storage {

/// What a put brings, cut into rows and not yet entered into a store. No thread's but its holder's.
struct Incoming {
  struct Column {
    std::string field;
    std::unique_ptr<Block> block;
  };

  wire::Indexes indexes;
  std::vector<Column> columns;
  /// Positions of the rows that are to be entered, ascending; they name different indexes. The
  /// others are dropped already.
  std::vector<uint32_t> rows;
};

}  // namespace tq::storage
