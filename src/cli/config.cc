// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/json_value.h"
#include "cli/table.h"

namespace tq::cli {
namespace {

struct ConfigSettings {
  bool json = false;
};

struct Shown {
  std::string setting;  // without dashes
  std::string value;
  std::string from;
  std::string variable;
};

bool is_on_command_line(const CLI::Option& option, const std::vector<std::string>& arguments) {
  for (const std::string& name : option.get_lnames()) {
    const std::string flag = "--" + name;
    for (const std::string& word : arguments) {
      if (word == flag || word.starts_with(flag + "=")) return true;
    }
  }
  return false;
}

std::string value_of(const CLI::Option& option) {
  std::string text;
  for (const std::string& word : option.results()) text += (text.empty() ? "" : " ") + word;
  if (option.count() == 0) text = option.get_default_str();
  // A flag of yes or no has no default text, nor has what is off unless given.
  if (text.empty()) return option.get_items_expected_max() == 0 ? "false" : "-";
  return text;
}

std::string source_of(const CLI::Option& option, const Start& start) {
  const std::string& name = option.get_single_name();
  if (is_on_command_line(option, start.arguments)) return fmt::format("flag --{}", name);
  if (option.count() > 0) return fmt::format("variable {}", option.get_envname());
  const SettingsFile::Setting* setting = start.file ? start.file->find("--" + name) : nullptr;
  if (setting == nullptr) return "default";
  return fmt::format("{} ({})", start.file->place(*setting), setting->key);
}

std::vector<Shown> settings_of(const CLI::App& command, const Start& start) {
  std::vector<Shown> shown;
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_single_name();
    if (name == "help" || option->get_lnames().empty()) continue;
    shown.push_back({name, value_of(*option), source_of(*option, start), option->get_envname()});
  }
  return shown;
}

int run_config(const CLI::App& config, const ConfigSettings& settings, const Start& start) {
  const std::vector<Shown> shown = settings_of(*config.get_subcommands().at(0), start);
  if (settings.json) {
    Json json = Json::object();
    for (const Shown& s : shown) {
      json[s.setting] = {{"value", s.value}, {"from", s.from}, {"variable", s.variable}};
    }
    fmt::print("{}", json_text(json));
    return kOk;
  }
  Table table({"setting", "value", "from", "variable"});
  for (const Shown& s : shown) table.add({s.setting, s.value, s.from, s.variable});
  fmt::print("{}", table.text());
  return kOk;
}

}  // namespace

Run add_config(CLI::App& program, const std::shared_ptr<const Start>& start) {
  auto settings = std::make_shared<ConfigSettings>();
  CLI::App* config = program.add_subcommand(
      "config",
      "Show the settings that 'tq up', 'tq controller' or 'tq storage' would start with, and where "
      "each comes from: flag, environment variable, configuration file or default.");
  config->add_flag("--json", settings->json, "Print {setting: {value, from, variable}} as JSON");
  // They run nothing here, so nothing need be said; what they would run holds what flags write to.
  const std::vector<Run> unused = {add_up(*config), add_controller(*config), add_storage(*config)};
  for (CLI::App* command : config->get_subcommands([](CLI::App*) { return true; })) {
    for (CLI::Option* option : command->get_options()) option->required(false);
    command->description(fmt::format("The settings of 'tq {}'.", command->get_name()));
    command->footer("");
  }
  config->require_subcommand(1);
  config->fallthrough();
  config->footer("Example: tq --config tq.yaml config up --units 4");
  return [config, settings, start, unused] { return run_config(*config, *settings, *start); };
}

}  // namespace tq::cli
