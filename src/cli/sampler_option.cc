// SPDX-License-Identifier: Apache-2.0
#include "cli/sampler_option.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "transfer_queue/error.h"

namespace tq::cli {
namespace {

int64_t number(std::string_view text, std::string_view argument) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("'{}' must be ARGUMENT=NUMBER, e.g. n_samples_per_prompt=4", argument));
}

}  // namespace

std::unique_ptr<Sampler> make_sampler(const std::string& text) {
  std::string_view rest = text;
  const auto take = [&] {
    const std::string_view part = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    return part;
  };
  const std::string_view name = take();
  Map arguments;
  while (!rest.empty()) {
    const std::string_view argument = take();
    const size_t sign = std::min(argument.find('='), argument.size());
    const std::string_view value = argument.substr(std::min(sign + 1, argument.size()));
    arguments.emplace_back(Value(argument.substr(0, sign)), Value(number(value, argument)));
  }
  try {
    return SamplerRegistry::built_in().make(name, arguments);
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("--sampler {}: {}", text, error.what()));
  }
}

}  // namespace tq::cli
