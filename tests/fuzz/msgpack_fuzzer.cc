// SPDX-License-Identifier: Apache-2.0
// The bytes of a msgpack header, without the frames that it may refer to: a value or an error.
#include "fuzz/fuzz_limits.h"
#include "wire/decode.h"
#include "wire/encode.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tq::wire;
  static const Limits limits = tq::test::fuzz_limits();
  const Frames frames = {Slice::copy_of({reinterpret_cast<const char*>(data), size})};
  tq::Result<Value> value = decode_value(frames, limits);
  if (!value) return 0;
  // What was read can be written, and what was written is stable.
  const Frames once = encode_value(*value);
  tq::Result<Value> again = decode_value(once, Limits{});
  tq::test::require(again.ok());
  const Frames twice = encode_value(*again);
  tq::test::require(once.size() == twice.size() && once[0].view() == twice[0].view());
  return 0;
}
