// SPDX-License-Identifier: Apache-2.0
// A million requests of random clients over a bad network, against a model. Each run prints its
// seed; TQ_SIMULATION_SEED repeats one, TQ_SIMULATION_REQUESTS makes it longer or shorter.
#include "simulation/controller_simulation.h"

#include <fmt/format.h>

#include <cstdlib>
#include <random>

#include "support/catch.h"

namespace tq::test {
namespace {

#ifdef NDEBUG
constexpr size_t kRequests = 1'000'000;
#else
constexpr size_t kRequests = 40'000;  // under sanitizers
#endif
constexpr size_t kClusters = 20;

uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST_CASE("simulation: a controller does what the model does, whatever the network does") {
  const uint64_t seed = number_from("TQ_SIMULATION_SEED", std::random_device{}());
  const size_t requests = number_from("TQ_SIMULATION_REQUESTS", kRequests) / kClusters;
  fmt::print("TQ_SIMULATION_SEED={}\n", seed);
  ControllerSimulation::Counts sum;
  for (size_t i = 0; i < kClusters; ++i) {
    ControllerSimulation simulation(seed + i);
    try {
      simulation.run(requests);
    } catch (const std::exception& error) {
      FAIL(fmt::format("TQ_SIMULATION_SEED={}, cluster {}: {}", seed, i, error.what()));
    }
    const ControllerSimulation::Counts& counts = simulation.counts();
    sum.requests += counts.requests;
    sum.batches += counts.batches;
    sum.repeated_batches += counts.repeated_batches;
    sum.waits += counts.waits;
    sum.timeouts += counts.timeouts;
    sum.undone += counts.undone;
    sum.duplicates += counts.duplicates;
    sum.late += counts.late;
    sum.refused_notifications += counts.refused_notifications;
    sum.reused_indexes += counts.reused_indexes;
    sum.errors += counts.errors;
  }
  fmt::print(
      "{} requests: {} batches ({} repeated, {} undone), {} waits, {} time-outs, {} duplicates, {} "
      "late, {} refused notifications, {} reused indexes, {} errors\n",
      sum.requests, sum.batches, sum.repeated_batches, sum.undone, sum.waits, sum.timeouts,
      sum.duplicates, sum.late, sum.refused_notifications, sum.reused_indexes, sum.errors);
  if (requests * kClusters < kRequests) return;  // too few to say that all of it happens
  for (const size_t count :
       {sum.batches, sum.repeated_batches, sum.undone, sum.waits, sum.timeouts, sum.duplicates,
        sum.late, sum.refused_notifications, sum.reused_indexes, sum.errors}) {
    CHECK(count > kRequests / 5000);
  }
}

}  // namespace
}  // namespace tq::test
