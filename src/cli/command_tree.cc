// SPDX-License-Identifier: Apache-2.0
#include "cli/command_tree.h"

namespace tq::cli {
namespace {

CommandPage::Flag flag_of(const CLI::Option& option) {
  CommandPage::Flag flag;
  for (const std::string& name : option.get_snames()) flag.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) flag.names.push_back("--" + name);
  if (option.get_positional()) flag.names.push_back(option.get_single_name());
  // The library adds what checks say of themselves after a colon; "ADDR[:PORT]" has one of its own.
  const std::string type = option.get_type_name();
  const size_t colon = type.find(type.starts_with("ADDR") ? "::" : ":");
  if (option.get_items_expected_max() > 0) flag.value = type.substr(0, colon);
  flag.description = option.get_description();
  flag.default_value = option.get_default_str();
  flag.variable = option.get_envname();
  flag.is_required = option.get_required();
  return flag;
}

void add_pages(const CLI::App& command, const std::vector<std::string>& path,
               std::vector<CommandPage>& pages) {
  CommandPage page;
  page.path = path;
  page.description = command.get_description();
  page.footer = command.get_footer();
  for (const CLI::Option* option : command.get_options()) {
    (option->get_positional() ? page.positionals : page.flags).push_back(flag_of(*option));
  }
  const auto subcommands = command.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* sub : subcommands) {
    page.subcommands.emplace_back(sub->get_name(), sub->get_description());
  }
  pages.push_back(std::move(page));
  for (const CLI::App* sub : subcommands) {
    std::vector<std::string> below = path;
    below.push_back(sub->get_name());
    add_pages(*sub, below, pages);
  }
}

}  // namespace

std::vector<CommandPage> command_pages(const CLI::App& program) {
  std::vector<CommandPage> pages;
  add_pages(program, {}, pages);
  return pages;
}

}  // namespace tq::cli
