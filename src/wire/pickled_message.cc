// SPDX-License-Identifier: Apache-2.0
#include "wire/pickled_message.h"

#include "wire/pickle_reader.h"
#include "wire/torch_pickle.h"

namespace tq::wire {

bool is_pickled_message(std::span<const Slice> frames) noexcept {
  constexpr std::string_view kSentinel = "\xC1\xFE\xED";
  return frames.size() >= 2 && frames[0].view() == kSentinel;
}

Value read_pickled_message(std::span<const Slice> frames, const Limits& limits) {
  NodeBudget budget(frames[1].size, limits);
  Value message = read_pickle(frames[1].view(), limits, budget);
  return with_torch_tensors(std::move(message), frames[1].size, limits, budget);
}

}  // namespace tq::wire
