// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/exit_code.h"

namespace tq::cli {

/// One of the subcommands of a command ('put' of 'tq kv put'). Its settings are its own, for CLI11
/// reads environment variables for all of them, chosen or not.
template <typename Settings>
struct Leaf {
  CLI::App* app;
  std::shared_ptr<Settings> settings;
  int (*run)(const Settings&);

  Leaf(CLI::App& command, const char* name, const char* description, int (*chosen)(const Settings&))
      : app(command.add_subcommand(name, description)),
        settings(std::make_shared<Settings>()),
        run(chosen) {}
};

/// Runs the one that the user chose.
template <typename Settings>
Run run_chosen(std::vector<Leaf<Settings>> leaves) {
  return [leaves = std::move(leaves)] {
    for (const Leaf<Settings>& leaf : leaves) {
      if (leaf.app->parsed()) return leaf.run(*leaf.settings);
    }
    return static_cast<int>(kUsage);
  };
}

}  // namespace tq::cli
