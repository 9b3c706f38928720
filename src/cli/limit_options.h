// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

#include "wire/limits.h"

namespace tq::cli {

/// `--limit NAME=NUMBER`, as often as wanted, and TQ_LIMITS=NAME=NUMBER,NAME=NUMBER. `limits` must
/// outlive the command.
void add_limit_option(CLI::App& command, wire::Limits& limits);

}  // namespace tq::cli
