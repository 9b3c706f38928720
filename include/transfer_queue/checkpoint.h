// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>

#include "transfer_queue/client.h"
#include "transfer_queue/value.h"

namespace tq {

/// What goes into a checkpoint besides the nodes' state.
struct SaveCheckpointOptions {
  /// What load_checkpoint() shall give back, e.g. {{"step", 10}}: str keys; values of nil, bool,
  /// int, double, str, and lists and dicts of them.
  Map metadata;
  /// Of each of the two steps, the controller's and the units'.
  std::chrono::milliseconds deadline = TransferQueueClient::kCheckpointDeadline;
};

/// Saves everything that controller and storage units hold into a folder, in place of the
/// checkpoint that is there (Python: save_checkpoint; each loads what the other saved). It is
/// written to FOLDER.tmp and exchanged with FOLDER when it is whole and synced, so a crash at any
/// point leaves the old one or the new one. Nodes go on serving meanwhile; each saves its state of
/// the moment when it is asked, so nobody should change data during the call.
///
/// This process and all nodes must see the folder under the same path, and the nodes must have a
/// --checkpoint-root above it. Blocks. Throws Error naming the node and the reason; what was there
/// before stays. Do not call it twice at the same time for one folder.
void save_checkpoint(TransferQueueClient& client, const std::filesystem::path& folder,
                     const SaveCheckpointOptions& options = {});

/// Gives controller and storage units the state of a checkpoint, in place of what they hold, and
/// returns its metadata. The folder may have been renamed or copied. All nodes read and check their
/// part before the first one takes it; until then an error changes nothing anywhere. Another number
/// of units than saved may load it, where all nodes are C++ nodes.
///
/// Blocks. Throws Error: kNotFound for a folder that is no checkpoint, kDecode for one that is
/// damaged, kUnsupported for one that a Python node saved, all naming the file.
Map load_checkpoint(TransferQueueClient& client, const std::filesystem::path& folder,
                    std::chrono::milliseconds deadline = TransferQueueClient::kCheckpointDeadline);

}  // namespace tq
