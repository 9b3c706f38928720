// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/limit_options.h"

namespace tq::cli {

Run add_limits(CLI::App& program) {
  auto limits = std::make_shared<wire::Limits>();
  CLI::App* command = program.add_subcommand(
      "limits",
      "List every bound on what peers may make a node do, as --limit and TQ_LIMITS set it.\n"
      "Past one a request gets an error, or its connection is closed, before the work is done.");
  add_limit_option(*command, *limits);
  command->footer("Example: tq up --info-dir DIR --limit rows_max=1000000 --limit peers_max=500");
  return [limits] {
    for (const wire::LimitEntry& entry : wire::limit_entries()) {
      fmt::print("{:<22} {:>14}  {}\n", entry.name, entry.get(*limits), entry.what);
    }
    // What a unit keeps is its own setting, for it has no default.
    fmt::print("{:<22} {:>14}  {}\n", "--capacity", "none", "samples that a storage unit holds");
    fmt::print("{:<22} {:>14}  {}\n", "--capacity-bytes", "none",
               "payload bytes that a storage unit holds in memory");
    return kOk;
  };
}

}  // namespace tq::cli
