// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>

#include "wire/limits.h"

namespace tq::test {

/// Small enough that one input stays fast, and that a few bytes reach past them.
inline wire::Limits fuzz_limits() {
  wire::Limits limits;
  limits.nodes_max = 100'000;
  limits.rows_max = 4096;
  limits.fields_max = 256;
  limits.partitions_max = 64;
  limits.tasks_max = 64;
  return limits;
}

/// Ends the fuzzer, which keeps the input, where a promise does not hold.
inline void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace tq::test
