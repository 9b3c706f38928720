// SPDX-License-Identifier: Apache-2.0
// Any pickle becomes inert values or an error: a stranger's, one in a reply, one of a whole
// message.
#include <array>

#include "fuzz/fuzz_limits.h"
#include "wire/batch_meta.h"
#include "wire/encode.h"
#include "wire/pickle_reader.h"
#include "wire/pickled_message.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tq::wire;
  static const Limits limits = tq::test::fuzz_limits();
  const std::string_view pickle(reinterpret_cast<const char*>(data), size);
  for (const UnknownNames names : {UnknownNames::kRefuse, UnknownNames::kKeep}) {
    try {
      encode_value(read_pickle(pickle, limits, names));
    } catch (const tq::Error&) {
    }
  }
  try {
    const BatchMeta meta = read_batch_meta(Opaque{1, Slice::copy_of(pickle)}, limits);
    tq::test::require(meta.production_status.size() == meta.global_indexes.size());
  } catch (const tq::Error&) {
  }
  try {
    const std::array<Slice, 2> frames = {Slice::copy_of("\xC1\xFE\xED"), Slice::copy_of(pickle)};
    read_pickled_message(frames, limits);
  } catch (const tq::Error&) {
  }
  return 0;
}
