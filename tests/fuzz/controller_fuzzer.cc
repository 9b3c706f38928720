// SPDX-License-Identifier: Apache-2.0
// Every handler of the controller, over the state that the input's earlier messages made.
#include "controller/controller.h"
#include "fuzz/node_fuzzer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tq::controller::ControllerConfig config;
  config.id = "TQ_CONTROLLER_fuzzed";
  config.index_rest_s = 2;
  config.polling_mode = size % 2 == 0;
  config.limits = tq::test::fuzz_limits();
  tq::controller::Controller controller(config);
  tq::test::NodeInput(controller).feed<tq::wire::ControllerRequests>(data, size);
  return 0;
}
