// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace tq::cli {

/// Why a text is no log level; empty when it is one.
std::string log_level_problem(const std::string& level);

/// Log lines go to stderr. `level` is debug, info, warning, error, critical or off, in any case
/// (also in upstream's spelling, e.g. WARN). Throws Error(kInvalidArgument) for another one.
void set_up_logging(const std::string& level);

}  // namespace tq::cli
