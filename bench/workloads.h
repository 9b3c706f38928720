// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "transfer_queue/kv.h"

/// Workloads of the C++ client on running nodes; each returns its figures as one JSON object.
/// Seconds and microseconds are wall time, medians and percentiles are over single calls.
namespace tq::bench {

using Json = nlohmann::ordered_json;

/// One key at a time with a tensor of `bytes`: put, look-up, get.
Json latency(TransferQueueClient& client, int count, size_t bytes);

/// Threads that share one client put single keys for some seconds.
Json writers(TransferQueueClient& client, int threads, double seconds, size_t bytes);

/// A trainer's load, step after step until the puts took `seconds`: threads put `samples` samples
/// of 12 columns and a tag while a reader lists all keys every 0.5 s; then it gets four columns of
/// all, and clears them.
Json load(TransferQueueClient& client, int threads, int samples, int tokens, double seconds);

/// Small puts one after the other while other threads put large batches all the time.
Json mixed(TransferQueueClient& client, int count, size_t batch_bytes);

/// Batches of the same size in rows of 1 KiB to 16 MiB.
Json rows(TransferQueueClient& client, size_t batch_bytes);

/// A partition of many keys: register, list, report four fields of all, fetch batches of 256. The
/// partition stays, for its memory to be looked at.
Json keys(TransferQueueClient& client, int count);

}  // namespace tq::bench
