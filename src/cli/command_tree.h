// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace tq::cli {

/// A command as completions and the manual see it, read from the tree that parses.
struct CommandPage {
  struct Flag {
    std::vector<std::string> names;  // "-p", "--partition"
    std::string value;               // "DIR", "SECONDS"; empty for one without
    std::string description;
    std::string default_value;
    std::string variable;
    bool is_required = false;
  };
  std::vector<std::string> path;  // {} for the program itself, {"kv", "put"}
  std::string description;
  std::string footer;
  std::vector<Flag> flags;
  std::vector<Flag> positionals;                                 // of each one name, without dashes
  std::vector<std::pair<std::string, std::string>> subcommands;  // name, description
};

/// The program first, then its commands, each followed by those below it.
std::vector<CommandPage> command_pages(const CLI::App& program);

std::string bash_completion(const CLI::App& program);
std::string zsh_completion(const CLI::App& program);
/// The page tq(1), as troff.
std::string manual_page(const CLI::App& program);

}  // namespace tq::cli
