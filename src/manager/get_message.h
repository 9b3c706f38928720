// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "manager/routing_group.h"
#include "transfer_queue/column.h"

namespace tq::manager {

/// Whether the `data` of a reply to `group` has a row of each field for each sample. Throws
/// Error(kDecode) that says what is wrong.
void check_part(const std::vector<std::string>& fields, const RoutingGroup& group,
                const Value& part);

/// Puts the replies of a GET together: `parts[k]` is the `data` of the reply to `groups[k]`, which
/// check_part found in order. A
/// field that one reply holds whole as a dense tensor stays dense; tensors become rows in batch
/// order, anything else values. Nothing is copied.
Batch assemble(const std::vector<std::string>& fields, const std::vector<RoutingGroup>& groups,
               std::vector<Value> parts, size_t rows);

}  // namespace tq::manager
