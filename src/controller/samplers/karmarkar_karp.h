// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace tq::controller {

/// Splits weighted items into `parts` parts of equally many items and nearly equal sums, by the
/// largest differencing method, with upstream's order where sums are equal
/// (seqlen_balanced_sampler.get_seqlen_balanced_partitions). Returns the items' positions,
/// ascending in each part. Requires weights.size() to be a positive multiple of `parts`.
std::vector<std::vector<size_t>> balanced_parts(std::span<const double> weights, size_t parts);

}  // namespace tq::controller
