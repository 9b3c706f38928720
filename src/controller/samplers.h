// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "transfer_queue/sampler.h"
#include "wire/value.h"

namespace tq::controller {

/// The samplers of one controller: its own, and those that clients chose by name.
class Samplers {
 public:
  /// Upstream's default sampler where none is given.
  Samplers(SamplerRegistry registry, std::unique_ptr<Sampler> own, size_t chosen_max);

  /// The one for a request: what its extension names under "sampler", made with the arguments under
  /// "sampler_arguments", else the controller's own. The same name and arguments give the same
  /// sampler, with the batches that it keeps. Throws Error for what is none.
  Sampler& choose(const Value& body);
  /// Puts another sampler in place of the controller's own, which is forgotten with the batches
  /// that it kept. `arguments` is nil or a Map. Throws Error for what is none; then nothing
  /// changes.
  void register_own(std::string_view name, const Value& arguments);
  void clear_cache(const std::string& partition_id);
  void samples_cleared(const std::string& partition_id, const std::vector<int64_t>& indexes);

  /// For checkpoints: what each sampler keeps, {"name": str, "arguments": Map, "state": any}; the
  /// controller's own has the name nil. load() throws Error, with nothing changed, when one of them
  /// does not take its state.
  wire::Array to_values() const;
  void load(const wire::Array& values);

 private:
  struct Chosen {
    std::string name;
    Map arguments;
    std::unique_ptr<Sampler> sampler;
  };
  using ByKey = std::map<std::string, Chosen>;  // by name and encoded arguments

  Chosen& obtain(ByKey& chosen, const std::string& name, const Map& arguments) const;

  const SamplerRegistry registry_;
  std::unique_ptr<Sampler> own_;
  const size_t chosen_max_;
  ByKey chosen_;
};

}  // namespace tq::controller
