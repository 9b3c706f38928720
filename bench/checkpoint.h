// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "workloads.h"

namespace tq::bench {

/// Saves and loads `store_bytes` of rows of 256 KiB and `keys` keys with tags, below the nodes'
/// checkpoint root: the bandwidth of both (of the files' bytes, syncing included), and what small
/// puts and gets of one key take during the save and before it. Everything that the nodes hold is
/// cleared of the partitions that it makes; the folder is removed.
Json checkpoint(TransferQueueClient& client, const std::filesystem::path& folder,
                size_t store_bytes, int keys);

}  // namespace tq::bench
