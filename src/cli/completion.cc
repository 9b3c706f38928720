// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/command_tree.h"
#include "cli/commands.h"
#include "cli/exit_code.h"

namespace tq::cli {

Run add_completion(CLI::App& program) {
  auto what = std::make_shared<std::string>();
  CLI::App* command = program.add_subcommand(
      "completion",
      "Print what makes a shell complete tq's commands and flags, or the manual page.");
  command->add_option("what", *what, "bash, zsh, or man for the page tq(1)")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "man"}))
      ->type_name("bash|zsh|man");
  command->footer(
      "Example: source <(tq completion bash)\n"
      "zsh: tq completion zsh > a folder of $fpath, as _tq; man: tq completion man | man -l -");
  return [what, &program] {
    fmt::print("{}", *what == "bash"  ? bash_completion(program)
                     : *what == "zsh" ? zsh_completion(program)
                                      : manual_page(program));
    return static_cast<int>(kOk);
  };
}

}  // namespace tq::cli
