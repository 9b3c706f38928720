// SPDX-License-Identifier: Apache-2.0
// Every handler of a storage unit, over the rows that the input's earlier messages put.
#include "fuzz/node_fuzzer.h"
#include "storage/storage_unit.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tq::storage::StorageConfig config;
  config.capacity_samples = 4096;
  config.capacity_bytes = 64 << 20;
  config.limits = tq::test::fuzz_limits();
  tq::storage::StorageUnit unit(config);
  tq::test::NodeInput(unit).feed<tq::wire::StorageRequests>(data, size);
  tq::test::require(unit.store().active_keys() <= 4096);
  tq::test::require(unit.store().bytes_stored() <= 64 << 20);
  return 0;
}
