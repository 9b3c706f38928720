// SPDX-License-Identifier: Apache-2.0
#include "cli/limit_options.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "transfer_queue/error.h"

namespace tq::cli {
namespace {

const wire::LimitEntry& entry_of(const std::string& name) {
  for (const wire::LimitEntry& entry : wire::limit_entries()) {
    if (entry.name == name) return entry;
  }
  throw CLI::ValidationError("--limit",
                             fmt::format("there is no limit '{}'; 'tq limits' lists them", name));
}

// A count, or bytes such as "2GiB".
uint64_t number_of(const std::string& text, std::string number) {
  uint64_t value = 0;
  bool is_number = !number.starts_with('-');
  try {
    is_number = is_number && CLI::AsSizeValue(false)(number).empty() &&
                CLI::detail::lexical_cast(number, value);
  } catch (const CLI::Error&) {
    is_number = false;
  }
  if (is_number) return value;
  throw CLI::ValidationError(
      "--limit", fmt::format("'{}' must end in a number, or in bytes such as 2GiB", text));
}

// "rows_max=1000", "frame_bytes_max=2GiB"
void set_limit(wire::Limits& limits, const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) {
    throw CLI::ValidationError("--limit", fmt::format("'{}' is not of the form NAME=NUMBER", text));
  }
  const wire::LimitEntry& entry = entry_of(text.substr(0, equals));
  try {
    entry.set(limits, number_of(text, text.substr(equals + 1)));
  } catch (const Error& error) {
    throw CLI::ValidationError("--limit", fmt::format("'{}': {}", text, error.what()));
  }
}

}  // namespace

void add_limit_option(CLI::App& command, wire::Limits& limits) {
  command
      .add_option_function<std::vector<std::string>>(
          "--limit",
          [&limits](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) set_limit(limits, text);
          },
          "Another bound on what peers may make a node do, as often as wanted; 'tq limits' lists "
          "them with their defaults")
      ->delimiter(',')
      ->type_name("NAME=NUMBER")
      ->envname("TQ_LIMITS");
}

}  // namespace tq::cli
