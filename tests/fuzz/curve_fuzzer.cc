// SPDX-License-Identifier: Apache-2.0
// What a peer without the right keys sends in a CURVE handshake, what one with them may put into
// its boxes, and any bytes in the place of a MESSAGE.
#include <algorithm>
#include <string>
#include <string_view>

#include "fuzz/fuzz_limits.h"
#include "transfer_queue/error.h"
#include "zmtp/curve_handshake.h"
#include "zmtp/handshake.h"

namespace {

using namespace tq::zmtp;

struct Keys {
  CurveKeyPair node = CurveKeyPair::generate();
  CurveKeyPair client = CurveKeyPair::generate();
  CurvePointer of_node = std::make_shared<Curve>(Curve{node, std::nullopt, {client.public_key}});
  CurvePointer of_client = std::make_shared<Curve>(Curve{client, node.public_key, {}});
};

template <class Work>
void tolerate(Work work) {
  try {
    work();
  } catch (const tq::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Keys keys;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  CurveHandshake node(keys.of_node, "");
  CurveHandshake client(keys.of_client, std::string(bytes));
  std::string said = client.begin();
  for (CurveHandshake* end : {&node, &client, &node, &client}) {
    // Nobody can make a box without the keys, so none of these is taken.
    tolerate([&] {
      end->take(bytes);
      tq::test::require(false);
    });
    said = end->take(said);
  }
  tq::test::require(node.is_done() && node.peer_properties() == bytes);
  tolerate([&] { read_properties(SocketType::kRouter, node.peer_properties()); });
  const auto [message, start] = CurveTraffic::place(size);
  std::copy_n(reinterpret_cast<const std::byte*>(data), size, start);
  tolerate([&, &sent = message] {  // (clang 14 captures no names of a structured binding)
    node.traffic()->open(sent);
    tq::test::require(false);
  });
  return 0;
}
