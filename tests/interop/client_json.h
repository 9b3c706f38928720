// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/canonical.h"
#include "transfer_queue/kv.h"

/// JSON forms of what the driver of the C++ client takes and gives; values are canonical
/// (tests/peer/canonical.py). A column is one of
///   {"kind": "dense", "tensor": TENSOR}
///   {"kind": "jagged", "values": TENSOR, "offsets": [...], "shapes": [[...], ...]}
///   {"kind": "rows", "rows": [TENSOR, ...]}          {"kind": "values", "rows": [VALUE, ...]}
namespace tq::test {

Column column_from(const Json& json);
Json json_of(const Column& column);

/// [[name, column], ...], for the order counts.
Batch batch_from(const Json& json);
Json json_of(const Batch& batch);

/// {"keys", "tags", "partition_id", "fields"}.
KVBatchMeta meta_from(const Json& json);
Json json_of(const KVBatchMeta& meta);

/// [[partition, [[key, tag], ...]], ...].
Json json_of(const KVListing& listing);

/// {"code", "message", "rows_not_stored" of a PartialPutError}.
Json json_of(const Error& error);

/// A list of names of a command; empty where there is none.
std::vector<std::string> names(const Json& command, const char* key);

/// A tag, or nothing for null.
std::optional<Map> tag_from(const Json& json);

}  // namespace tq::test
