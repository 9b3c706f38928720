// SPDX-License-Identifier: Apache-2.0
#include "cli/client_options.h"

#include <fmt/format.h>

#include <cstdio>

#include "cli/exit_code.h"

namespace tq::cli {

namespace {

CLI::Validator seconds_above_zero() {
  constexpr double kSecondsMax = 86'400;
  return {[](const std::string& text) {
            double value = 0;
            const bool fits =
                CLI::detail::lexical_cast(text, value) && value >= 0.001 && value <= kSecondsMax;
            return fits ? std::string()
                        : fmt::format("'{}' is no number of seconds from 0.001 to a day", text);
          },
          ""};
}

}  // namespace

CLI::Option* add_client_options(CLI::App& command, ClientSettings& settings) {
  command.add_option("--deadline", settings.deadline_s, "Seconds a call to the nodes may take")
      ->capture_default_str()
      ->check(seconds_above_zero())
      ->type_name("SECONDS");
  return command
      .add_option("--info-dir", settings.info_dir,
                  "Folder with the nodes' addresses, controller.json and storage-0.json, ...; they "
                  "may be C++ or Python nodes")
      ->type_name("DIR")
      ->envname("TQ_INFO_DIR");
}

std::unique_ptr<TransferQueueClient> join(const ClientSettings& settings) {
  ClientOptions options;
  options.deadline = std::chrono::milliseconds(static_cast<int64_t>(settings.deadline_s * 1000));
  return std::make_unique<TransferQueueClient>(Nodes::read(settings.info_dir), options);
}

int reaching(const std::function<int()>& work) {
  try {
    return work();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnavailable && error.code() != ErrorCode::kTimeout) throw;
    fmt::print(stderr, "tq: {}\n", error.what());
    return kUnreachable;
  }
}

}  // namespace tq::cli
