// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace tq::controller {

/// How many items each part gets.
enum class PartSizes {
  kEqual,  // equally many; requires weights.size() to be a positive multiple of the parts
  kAny,    // as many as even the sums out; requires at least as many items as parts
};

/// Splits weighted items into `parts` parts of nearly equal sums, by the largest differencing
/// method, with upstream's order where sums are equal
/// (seqlen_balanced_sampler.get_seqlen_balanced_partitions). Returns the items' positions,
/// ascending in each part.
std::vector<std::vector<size_t>> balanced_parts(std::span<const double> weights, size_t parts,
                                                PartSizes sizes = PartSizes::kEqual);

}  // namespace tq::controller
