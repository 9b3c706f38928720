// SPDX-License-Identifier: Apache-2.0
#include "transfer_queue/slice.h"

#include "memory/block_cache.h"

namespace tq {

std::pair<Slice, std::byte*> Slice::allocate(size_t size) {
  std::shared_ptr<std::byte[]> block = size < memory::kBlockBytesMin
                                           ? std::shared_ptr<std::byte[]>(new std::byte[size])
                                           : memory::allocate_block(size);
  std::byte* start = block.get();
  return {Slice{start, size, std::move(block)}, start};
}

}  // namespace tq
