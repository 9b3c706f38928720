// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "transfer_queue/sampler.h"

namespace tq::controller {

/// custom_meta["total_lengths"] of a sample, its tokens; nothing where it is not there. A double
/// holds sums of them exactly up to 2^53. Throws Error(kWrongType), which begins with `whose`.
std::optional<double> total_length(const ReadySamples& ready, int64_t index, const char* whose);

}  // namespace tq::controller
