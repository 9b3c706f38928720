// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "controller/config.h"
#include "controller/state.h"
#include "runtime/actor.h"
#include "transfer_queue/sampler.h"

namespace tq::controller {

/// The controller of a TransferQueue system: which samples exist in which partition, what of them
/// is produced, and which task has consumed them. It never sees the data itself.
///
/// The `undo` of a reply works on the controller, so it must not be called after its end.
class Controller : public runtime::Actor {
 public:
  /// With the sampler of upstream's default, SequentialSampler, when none is given. Clients may
  /// choose others for their requests, by a name of the registry.
  explicit Controller(ControllerConfig config, std::unique_ptr<Sampler> sampler = nullptr,
                      SamplerRegistry registry = SamplerRegistry::built_in());

  const std::string& id() const override { return state_.id; }
  runtime::Outcome handle(runtime::Request& request, runtime::TimePoint now) override;
  runtime::Reply undecodable(const Error& error) override;
  std::string_view operation_of(std::string_view request_type) const override;
  /// Partitions in which a waiting fetch may find more than before.
  std::vector<std::string> take_changed_topics() override { return state_.take_changed(); }

 private:
  runtime::Reply tell_metrics(const wire::Envelope& request) const;

  State state_;
};

}  // namespace tq::controller
