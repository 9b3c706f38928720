// SPDX-License-Identifier: Apache-2.0
#include "controller/samplers/sequential.h"

namespace tq::controller {

Sample SequentialSampler::sample(const SampleRequest& request) {
  std::vector<int64_t> first = request.ready.first(request.batch_size);
  return {first, first};
}

}  // namespace tq::controller
