// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>
#include <vector>

#include "checkpoint/format.h"
#include "checkpoint/reader.h"
#include "controller/state.h"

namespace tq::controller {

/// The sections of a controller's checkpoint, encoded.
using StateSections = std::vector<std::pair<checkpoint::Tag, wire::OutMessage>>;

/// Everything that a controller knows, at this moment. Times of rest count from `now`. Throws
/// Error(kLimit) for what no reader would take.
StateSections encode_state(const State& state, runtime::TimePoint now);

/// Reads a controller's checkpoint. What it says is checked against itself and the limits, so that
/// the result may take the place of any controller's state. Touches none; may run anywhere. Throws
/// Error naming the file and the place.
SavedState read_state(checkpoint::Reader& reader, const ControllerConfig& config,
                      runtime::TimePoint now);

}  // namespace tq::controller
