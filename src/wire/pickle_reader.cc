// SPDX-License-Identifier: Apache-2.0
#include "wire/pickle_reader.h"

#include "wire/pickle_machine.h"

namespace tq::wire {

Value read_pickle(std::string_view pickle, const Limits& limits) {
  size_t consumed = 0;
  return read_pickle(pickle, limits, consumed);
}

Value read_pickle(std::string_view stream, const Limits& limits, size_t& consumed) {
  PickleMachine machine(stream, limits);
  Value v = machine.run();
  consumed = machine.consumed();
  return v;
}

}  // namespace tq::wire
