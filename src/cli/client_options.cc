// SPDX-License-Identifier: Apache-2.0
#include "cli/client_options.h"

#include <fmt/format.h>

#include <cstdio>

#include "cli/exit_code.h"
#include "runtime/curve_files.h"

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
  command
      .add_option("--curve-key", settings.curve.key_file,
                  "Your own secret key ('tq keygen'), for nodes that were started with --curve-key")
      ->type_name("FILE")
      ->envname("TQ_CURVE_KEY");
  command
      .add_option("--curve-server-key", settings.curve.server_key_file,
                  "The nodes' public key: the .pub file of their --curve-key")
      ->type_name("FILE")
      ->envname("TQ_CURVE_SERVER_KEY");
  return command
      .add_option("--info-dir", settings.info_dir,
                  "Folder with the nodes' addresses, controller.json and storage-0.json, ...; they "
                  "may be C++ or Python nodes")
      ->type_name("DIR")
      ->envname("TQ_INFO_DIR");
}

void use_own_nodes(ClientSettings& settings, const ChildNodes& nodes) {
  settings.info_dir = nodes.info_dir();
  settings.curve = {};
}

std::unique_ptr<TransferQueueClient> join(const ClientSettings& settings) {
  ClientOptions options;
  options.deadline = settings.deadline();
  options.curve = settings.curve;
  return std::make_unique<TransferQueueClient>(Nodes::read(settings.info_dir), options);
}

zmtp::CurvePointer keys_of(const ClientSettings& settings) {
  return runtime::client_curve({"--curve-key", settings.curve.key_file},
                               {"--curve-server-key", settings.curve.server_key_file});
}

int reaching(const std::function<int()>& work) {
  try {
    return work();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnavailable && error.code() != ErrorCode::kTimeout) throw;
    fmt::print(stderr, "tq: {} ('tq doctor' looks at each node)\n", error.what());
    return kUnreachable;
  }
}

}  // namespace tq::cli
