// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <optional>

namespace tq::cli {

/// When a node program ends by itself.
struct StopSettings {
  std::optional<int> until_eof;  // a descriptor: whoever holds the other end of the pipe is gone
};

void add_stop_options(CLI::App& command, StopSettings& settings);

/// Blocks SIGTERM and SIGINT for this thread and all that it starts, so that wait_for_stop() gets
/// them. Call before the first thread. Ignores SIGPIPE and SIGXFSZ. Throws Error(kInvalidArgument)
/// where
/// --until-eof names no descriptor.
void block_stop_signals(const StopSettings& settings);

/// Waits for SIGTERM, SIGINT or the end of file of --until-eof. Blocks.
void wait_for_stop(const StopSettings& settings);

/// Waits for one of them for up to `seconds`; whether it came.
bool stop_within(double seconds);

}  // namespace tq::cli
