// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "transfer_queue/error.h"

namespace tq::cli {

/// The exit statuses of every subcommand; `tq --help` lists them.
enum ExitCode : int {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kUnreachable = 3,
  kNotFound = 4,
};

}  // namespace tq::cli
