// SPDX-License-Identifier: Apache-2.0
#include "controller/samplers/arguments.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "transfer_queue/error.h"

namespace tq::controller {

const Value* Arguments::find(std::string_view name) const {
  for (const auto& [key, value] : map_) {
    const auto* text = key.get_if<std::string>();
    if (text != nullptr && *text == name) return value.is_nil() ? nullptr : &value;
  }
  return nullptr;
}

const Value& Arguments::at(std::string_view name) const {
  if (const Value* value = find(name)) return *value;
  throw Error(ErrorCode::kMissingKey, fmt::format("{} must have '{}'", whose_, name));
}

// In Python a bool is an int.
int64_t Arguments::to_integer(std::string_view name, const Value& value) const {
  if (const auto* number = value.get_if<int64_t>()) return *number;
  if (const auto* truth = value.get_if<bool>()) return *truth ? 1 : 0;
  throw Error(ErrorCode::kWrongType,
              fmt::format("{}: '{}' must be an int, got {}", whose_, name, value.kind_name()));
}

int64_t Arguments::integer(std::string_view name, int64_t otherwise) const {
  const Value* value = find(name);
  return value != nullptr ? to_integer(name, *value) : otherwise;
}

int64_t Arguments::integer(std::string_view name) const { return to_integer(name, at(name)); }

std::string Arguments::text(std::string_view name, std::string_view otherwise) const {
  const Value* value = find(name);
  if (value == nullptr) return std::string(otherwise);
  if (const auto* text = value->get_if<std::string>()) return *text;
  throw Error(ErrorCode::kWrongType,
              fmt::format("{}: '{}' must be a str, got {}", whose_, name, value->kind_name()));
}

void Arguments::allow_only(std::initializer_list<std::string_view> names) const {
  for (const auto& [key, value] : map_) {
    const auto* name = key.get_if<std::string>();
    if (name != nullptr && std::find(names.begin(), names.end(), *name) != names.end()) continue;
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} has no argument '{}'; it takes [{}]", whose_,
                            name != nullptr ? *name : key.kind_name(), fmt::join(names, ", ")));
  }
}

}  // namespace tq::controller
