// SPDX-License-Identifier: Apache-2.0
#include "wire/pickle_reader.h"

#include "wire/pickle_machine.h"

namespace tq::wire {

Value read_pickle(std::string_view pickle, const Limits& limits, UnknownNames unknown_names) {
  NodeBudget budget(pickle.size(), limits);
  return PickleMachine(pickle, limits, budget, unknown_names).run();
}

Value read_pickle(std::string_view pickle, const Limits& limits, NodeBudget& budget) {
  return read_next_pickle(pickle, limits, budget);
}

Value read_next_pickle(std::string_view& stream, const Limits& limits, NodeBudget& budget) {
  PickleMachine machine(stream, limits, budget, UnknownNames::kRefuse);
  Value v = machine.run();
  stream.remove_prefix(machine.consumed());
  return v;
}

}  // namespace tq::wire
