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
  const Map arguments =
      arguments_of("body.x_tq.sampler_arguments", extension->find("sampler_arguments"));
  const std::string text = name_of(*name);
  std::string key = text;
  for (const Slice& frame : wire::encode_value(Value(arguments))) key += frame.view();
  const auto known = chosen_.find(key);
  if (known != chosen_.end()) return *known->second;
  std::unique_ptr<Sampler> made = registry_.make(text, arguments);
  if (chosen_.size() >= chosen_max_) {
    throw Error(ErrorCode::kLimit,
                fmt::format("sampler '{}' with these arguments would be one more than the limit {}",
                            text, chosen_max_));
  }
  return *chosen_.emplace(std::move(key), std::move(made)).first->second;
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
  for (const auto& [key, sampler] : chosen_) sampler->clear_cache(partition_id);
}

}  // namespace tq::controller
