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
    const std::string argument_name(argument.substr(0, sign));
    if (Value(arguments).find(argument_name) != nullptr) {
      throw Error(ErrorCode::kInvalidArgument, fmt::format("'{}' is given twice", argument_name));
    }
    arguments.emplace_back(Value(argument_name), Value(number(value, argument)));
  }
  return SamplerRegistry::built_in().make(name, arguments);
}

std::string sampler_problem(const std::string& text) {
  try {
    make_sampler(text);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace tq::cli
