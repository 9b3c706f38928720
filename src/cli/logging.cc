// SPDX-License-Identifier: Apache-2.0
#include "cli/logging.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cctype>

#include "transfer_queue/error.h"

namespace tq::cli {
namespace {

spdlog::level::level_enum parse_level(std::string level) {
  std::transform(level.begin(), level.end(), level.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (level == "debug" || level == "notset") return spdlog::level::debug;
  if (level == "info") return spdlog::level::info;
  if (level == "warning" || level == "warn") return spdlog::level::warn;
  if (level == "error") return spdlog::level::err;
  if (level == "critical" || level == "fatal") return spdlog::level::critical;
  if (level == "off") return spdlog::level::off;
  throw Error(
      ErrorCode::kInvalidArgument,
      fmt::format("'{}' is no log level; use debug, info, warning, error, critical or off", level));
}

}  // namespace

std::string log_level_problem(const std::string& level) {
  try {
    parse_level(level);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

void set_up_logging(const std::string& level) {
  const auto parsed = parse_level(level);
  auto logger = spdlog::stderr_color_mt("tq");
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
  logger->set_level(parsed);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace tq::cli
