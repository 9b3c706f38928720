// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "checkpoint/root.h"
#include "wire/limits.h"

namespace tq::controller {

/// The settings of a controller. Upstream's own have upstream's defaults.
struct ControllerConfig {
  /// The node's name; empty: a fresh "TQ_CONTROLLER_<8 hex digits>".
  std::string id;
  /// A fetch that finds too little answers an empty batch at once, instead of waiting.
  bool polling_mode = false;
  /// Samples that a new partition owns before a client registers any.
  size_t pre_alloc_samples = 1;
  /// A fetch waits for data as long as the larger of the two.
  double get_metadata_timeout_s = 1;
  double check_interval_s = 5;
  /// How long a freed index is not handed out again. Clients 0.1.6 and 0.1.8 free it here before
  /// they clear its rows, and give up on a storage unit after 200 s. Waiting costs nothing but
  /// larger numbers.
  double index_rest_s = 200;
  /// Where checkpoints lie; null: the controller neither saves nor loads.
  checkpoint::RootPointer checkpoint_root = nullptr;
  wire::Limits limits;
};

}  // namespace tq::controller
