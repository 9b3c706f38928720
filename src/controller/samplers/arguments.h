// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "transfer_queue/value.h"

namespace tq::controller {

/// What a client or an operator gives a sampler by name: the keyword arguments of upstream's.
class Arguments {
 public:
  /// `whose` begins the sentence of an error: "RankAwareSampler: sampling_config".
  Arguments(std::string whose, const Map& map) : whose_(std::move(whose)), map_(map) {}

  /// The argument, or nullptr when it is not there or None.
  const Value* find(std::string_view name) const;
  /// Throws Error(kMissingKey) when it is not there.
  const Value& at(std::string_view name) const;
  /// An int, or the default when it is not there. Throws Error(kWrongType).
  int64_t integer(std::string_view name, int64_t otherwise) const;
  int64_t integer(std::string_view name) const;
  /// A str, or the default when it is not there. Throws Error(kWrongType).
  std::string text(std::string_view name, std::string_view otherwise) const;
  /// Throws Error(kInvalidArgument) when one is there that is not among these.
  void allow_only(std::initializer_list<std::string_view> names) const;

 private:
  int64_t to_integer(std::string_view name, const Value& value) const;

  std::string whose_;
  const Map& map_;
};

}  // namespace tq::controller
