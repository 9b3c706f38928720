// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "workloads.h"

/// How late a client hears of something, by waiting at the controller (`every_ms` is 0) or by
/// asking again every so many milliseconds: from the moment before it is told to the controller to
/// the one after the client's call returned. With the requests that each took.
namespace tq::bench {

/// A fetch of single samples, which are reported as produced one after the other.
Json fetch_waiting(TransferQueueClient& client, int count, int every_ms);

/// Tags that are set, one after the other, on one of `keys` keys: kv_list_changes against kv_list.
Json watch_waiting(TransferQueueClient& client, int count, int every_ms, int keys);

}  // namespace tq::bench
