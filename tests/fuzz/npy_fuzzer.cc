// SPDX-License-Identifier: Apache-2.0
// Any file is an array, as large as its shape says, or an error.
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "cli/npy.h"
#include "fuzz/fuzz_limits.h"
#include "transfer_queue/error.h"

namespace {

// A file that is nowhere: as quick as memory.
const int memory_file = ::memfd_create("fuzzed.npy", 0);

std::filesystem::path file_of(const uint8_t* data, size_t size) {
  tq::test::require(::ftruncate(memory_file, 0) == 0);
  tq::test::require(::pwrite(memory_file, data, size, 0) == static_cast<ssize_t>(size));
  return "/proc/self/fd/" + std::to_string(memory_file);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const tq::Tensor read = tq::cli::read_npy(file_of(data, size));
    tq::test::require(read.data.size == static_cast<size_t>(tq::element_count(read.shape)) *
                                            tq::dtype_size(read.dtype));
  } catch (const tq::Error&) {
  }
  return 0;
}
