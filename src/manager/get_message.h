// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "manager/routing_group.h"
#include "transfer_queue/column.h"

namespace tq::manager {

/// Puts the replies of a GET together: `parts[k]` is the `data` of the reply to `groups[k]`. A
/// field that one reply holds whole as a dense tensor stays dense; tensors become rows in batch
/// order, anything else values. Nothing is copied. Throws Error(kDecode) for a reply that is not of
/// the form that was asked for.
Batch assemble(const std::vector<std::string>& fields, const std::vector<RoutingGroup>& groups,
               std::vector<Value> parts, size_t rows);

}  // namespace tq::manager
