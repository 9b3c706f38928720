// SPDX-License-Identifier: Apache-2.0
// Any frames decode to a value or an error; what decodes can be written again and decodes again.
#include "fuzz/fuzz_limits.h"
#include "fuzz/message_input.h"
#include "wire/decode.h"
#include "wire/encode.h"
#include "wire/unpack.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const tq::wire::Limits limits = tq::test::fuzz_limits();
  const tq::wire::Frames frames = tq::test::frames_of_input(data, size);
  if (tq::Result<tq::wire::Value> value = tq::wire::decode_value(frames, limits)) {
    tq::test::require(
        tq::wire::decode_value(tq::wire::encode_value(*value), tq::wire::Limits{}).ok());
  }
  tq::Result<tq::wire::Envelope> envelope = tq::wire::decode(frames, limits);
  if (!envelope) return 0;
  const auto unpack = [&]<class Message>() {
    if (Message::kType != envelope->request_type) return;
    try {
      tq::wire::unpack_body<Message>(envelope->body, limits);
    } catch (const tq::Error&) {
    }
  };
  tq::wire::ControllerRequests::for_each(unpack);
  tq::wire::StorageRequests::for_each(unpack);
  return 0;
}
