// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "interop/client_waiting.h"

namespace tq::test {

/// {"do": "storm", "threads": 8, "rounds": 10, "rows": 4, "width": 100}: threads that share the
/// client each put, get, compare and clear rows of their own, round after round; all begin at once.
/// Answers what went wrong.
Json storm(std::unique_ptr<TransferQueueClient>& client, const Json& command);

}  // namespace tq::test
