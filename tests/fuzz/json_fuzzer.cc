// SPDX-License-Identifier: Apache-2.0
// What a person types is a value or an error; a value is shown as JSON that reads back the same.
#include <string>

#include "cli/json_value.h"
#include "fuzz/fuzz_limits.h"
#include "transfer_queue/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tq::cli;
  try {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const tq::Value value = to_value(parse_json(text, "the input"));
    const std::string shown = to_json(value).dump();
    tq::test::require(to_json(to_value(parse_json(shown, "what was shown"))).dump() == shown);
  } catch (const tq::Error&) {
  }
  return 0;
}
