// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>

#include "cli/settings_file.h"

namespace tq::cli {

/// A subcommand adds itself to the program and returns what runs when it was chosen; the result is
/// the exit status. One file each.
using Run = std::function<int()>;

Run add_up(CLI::App& program);
Run add_controller(CLI::App& program);
Run add_storage(CLI::App& program);
Run add_kv(CLI::App& program);
Run add_ckpt(CLI::App& program);
Run add_selftest(CLI::App& program);
Run add_bench(CLI::App& program);
Run add_limits(CLI::App& program);
Run add_status(CLI::App& program);
Run add_doctor(CLI::App& program, const std::shared_ptr<const Start>& start);
Run add_keygen(CLI::App& program);
Run add_config(CLI::App& program, const std::shared_ptr<const Start>& start);
/// Last: it describes the commands that are there.
Run add_completion(CLI::App& program);

}  // namespace tq::cli
