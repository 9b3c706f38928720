// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "transfer_queue/column.h"

namespace tq::cli {

/// One of the batches of upstream's put_benchmark, by which bandwidths are compared.
struct BenchSize {
  std::string_view name;
  int64_t batch;     // rows
  int64_t sequence;  // values a row
  int64_t fields;    // columns; their dtypes rotate
};

std::span<const BenchSize> bench_sizes();

/// Bytes of all tensors of a batch (ragged columns come out a few values larger or smaller).
uint64_t bench_bytes(const BenchSize& size);

/// Columns field_0, field_1, ...: even ones dense, odd ones ragged with as many values in all,
/// unless `dense` makes every column dense. Every value is 1.
Batch bench_batch(const BenchSize& size, bool dense);

}  // namespace tq::cli
