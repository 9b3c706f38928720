// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "manager/routing_group.h"
#include "transfer_queue/column.h"
#include "wire/messages.h"
#include "wire/pack.h"

namespace tq::manager {

/// Writes the `data` of a PUT: of each column the rows of one group. Rows of a dense column
/// go out as one frame, from where they lie; small ones that lie apart are gathered first.
void pack_columns(wire::Encoder& encoder, const Batch& batch, const RoutingGroup& group);

/// NOTIFY_DATA_UPDATE's columnar schema of a whole batch, as Python's extract_field_schema makes
/// it.
std::vector<std::pair<std::string, wire::FieldUpdate>> field_schema(
    const Batch& batch, std::span<const int64_t> global_indexes);

}  // namespace tq::manager
