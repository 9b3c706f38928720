// SPDX-License-Identifier: Apache-2.0
#include "controller/samplers.h"

#include <fmt/format.h>

#include <utility>

#include "controller/samplers/sequential.h"
#include "transfer_queue/error.h"
#include "wire/encode.h"
#include "wire/pack.h"

namespace tq::controller {
namespace {

std::string name_of(const Value& value) {
  if (const auto* name = value.get_if<std::string>()) return *name;
  throw Error(ErrorCode::kWrongType,
              fmt::format("body.x_tq.sampler must be a str, got {}", value.kind_name()));
}

Map arguments_of(std::string_view place, const Value* value) {
  if (value == nullptr || value->is_nil()) return {};
  if (const auto* arguments = value->get_if<Map>()) return *arguments;
  throw Error(ErrorCode::kWrongType,
              fmt::format("{} must be a dict, got {}", place, value->kind_name()));
}

}  // namespace

Samplers::Samplers(SamplerRegistry registry, std::unique_ptr<Sampler> own, size_t chosen_max)
    : registry_(std::move(registry)),
      own_(own != nullptr ? std::move(own) : std::make_unique<SequentialSampler>()),
      chosen_max_(chosen_max) {}

Sampler& Samplers::choose(const Value& body) {
  const Value* extension = body.find(wire::Extension::kKey);
  const Value* name = extension != nullptr ? extension->find("sampler") : nullptr;
  if (name == nullptr || name->is_nil()) return *own_;
  return *obtain(chosen_, name_of(*name),
                 arguments_of("body.x_tq.sampler_arguments", extension->find("sampler_arguments")))
              .sampler;
}

Samplers::Chosen& Samplers::obtain(ByKey& chosen, const std::string& name,
                                   const Map& arguments) const {
  std::string key = name;
  for (const Slice& frame : wire::encode_value(Value(arguments))) key += frame.view();
  const auto known = chosen.find(key);
  if (known != chosen.end()) return known->second;
  std::unique_ptr<Sampler> made = registry_.make(name, arguments);
  if (chosen.size() >= chosen_max_) {
    throw Error(ErrorCode::kLimit,
                fmt::format("sampler '{}' with these arguments would be one more than the limit {}",
                            name, chosen_max_));
  }
  return chosen.emplace(std::move(key), Chosen{name, arguments, std::move(made)}).first->second;
}

void Samplers::register_own(std::string_view name, const Value& arguments) {
  const Map checked = arguments_of("body.arguments", &arguments);
  try {
    own_ = registry_.make(name, checked);
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("body.sampler with body.arguments: {}", error.what()));
  }
}

void Samplers::clear_cache(const std::string& partition_id) {
  own_->clear_cache(partition_id);
  for (const auto& [key, chosen] : chosen_) chosen.sampler->clear_cache(partition_id);
}

wire::Array Samplers::to_values() const {
  wire::Array values;
  values.emplace_back(
      Map{{"name", Value()}, {"arguments", Map{}}, {"state", own_->save_checkpoint()}});
  for (const auto& [key, chosen] : chosen_) {
    values.emplace_back(Map{{"name", chosen.name},
                            {"arguments", chosen.arguments},
                            {"state", chosen.sampler->save_checkpoint()}});
  }
  return values;
}

// The controller's own comes last, for it is changed and not made anew.
void Samplers::load(const wire::Array& values) {
  ByKey loaded;
  Value own_state;
  for (const Value& value : values) {
    const Value* name = value.find("name");
    const Value* state = value.find("state");
    if (name == nullptr || state == nullptr) {
      throw Error(ErrorCode::kDecode, "a sampler of the checkpoint has no name or no state");
    }
    if (name->is_nil()) {
      own_state = *state;
      continue;
    }
    Chosen& chosen =
        obtain(loaded, name_of(*name),
               arguments_of("a sampler's arguments in the checkpoint", value.find("arguments")));
    chosen.sampler->load_checkpoint(*state);
  }
  own_->load_checkpoint(own_state);
  chosen_ = std::move(loaded);
}

void Samplers::samples_cleared(const std::string& partition_id,
                               const std::vector<int64_t>& indexes) {
  own_->samples_cleared(partition_id, indexes);
  for (const auto& [key, chosen] : chosen_) {
    chosen.sampler->samples_cleared(partition_id, indexes);
  }
}

}  // namespace tq::controller
