// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "manager/routing_group.h"
#include "transfer_queue/metadata.h"
#include "zmtp/frame_reader.h"

namespace tq::manager {

/// Where the rows of a GET are received so that each large column ends in one buffer, in batch
/// order, without a copy. It is laid out from the metadata's shapes before the replies come, and is
/// a guess: that a unit sends the rows of a field as a frame each, in the order asked for. A frame
/// of another size goes elsewhere, and Column::to_dense and to_jagged look where rows are; so a
/// wrong guess costs the copy that it was to save.
class Landing {
 public:
  Landing(const BatchMeta& meta, std::vector<std::string> fields);

  /// The fields in the order in which they must be asked for.
  const std::vector<std::string>& fields() const noexcept { return fields_; }
  /// For the reply to one group. It may outlive the landing.
  zmtp::Placement placement_of(const RoutingGroup& group) const;

 private:
  struct Field {
    Slice buffer;
    std::byte* start;
    std::vector<size_t> offsets;  // of each row, and the end
  };

  std::vector<std::string> fields_;  // those with a buffer first
  std::vector<Field> landed_;
};

}  // namespace tq::manager
