// SPDX-License-Identifier: Apache-2.0
#include "controller/handlers/handlers.h"

namespace tq::controller {

// Fetches that wait go on with the new sampler.
runtime::Outcome handle(State& state, const Call& call, wire::RegisterSampler message) {
  state.samplers.register_own(message.sampler, message.arguments);
  return reply(state, call,
               wire::RegisterSamplerResponse{
                   fmt::format("fetches are served by {} from now on", message.sampler)});
}

}  // namespace tq::controller
