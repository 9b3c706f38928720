// SPDX-License-Identifier: Apache-2.0
// The example of transfer_queue/sampler.h, compiled by a test and run. usage: sampler
#include "transfer_queue/sampler.h"

#include <algorithm>

#include "check.h"

//! [sampler]
/// Gives the newest samples first.
class NewestFirst final : public tq::Sampler {
 public:
  tq::Sample sample(const tq::SampleRequest& request) override {
    std::vector<int64_t> chosen = request.ready.first(request.ready.count());
    std::reverse(chosen.begin(), chosen.end());
    chosen.resize(request.batch_size);
    return {chosen, chosen};  // what the client gets, what the task gets never again
  }
};

tq::SamplerRegistry with_ours() {
  tq::SamplerRegistry registry = tq::SamplerRegistry::built_in();
  registry.add("NewestFirst", [](const tq::Map&) { return std::make_unique<NewestFirst>(); });
  return registry;
}
//! [sampler]

int main() { check(with_ours().make("NewestFirst") != nullptr, "it is made by its name"); }
