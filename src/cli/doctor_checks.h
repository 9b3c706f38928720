// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "transfer_queue/client.h"
#include "zmtp/curve_keys.h"

namespace tq::cli {

/// One thing that `tq doctor` looked at.
struct Finding {
  enum class Level { kOk, kWarning, kProblem };
  Level level;
  std::string subject;  // "addresses", "controller", "storage-0", "memory", ...
  std::string text;     // what is the case
  std::string advice;   // what to do; empty when all is well
};
using Findings = std::vector<Finding>;

/// The address files of a folder: what can be read of them, and what is wrong. Nodes that have no
/// readable file are left out.
struct AddressFiles {
  std::optional<ServerInfo> controller;
  std::vector<std::pair<std::string, ServerInfo>> units;  // name of the file without .json
};
AddressFiles check_addresses(const std::filesystem::path& folder, Findings& findings);

/// Asks every node; all at once, so that silent ones cost one deadline. Blocks that long.
void check_nodes(const AddressFiles& nodes, std::chrono::milliseconds deadline,
                 const zmtp::CurvePointer& curve, Findings& findings);

/// This machine: memory, limits, kernel settings.
void check_machine(Findings& findings);
/// Environment variables that no flag of the program reads, and what its configuration file says in
/// vain, a sentence each.
void check_settings(const CLI::App& program, const std::vector<std::string>& of_file,
                    Findings& findings);

}  // namespace tq::cli
