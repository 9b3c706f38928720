// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "faults/mutator.h"

namespace tq::test {

enum class NodeKind { kController, kUnit };

/// The recorded requests (tests/golden) to one kind of node, as a peer sends them.
std::vector<Mutator::Message> recorded_requests(NodeKind kind);

}  // namespace tq::test
