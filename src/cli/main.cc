// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/file_limit.h"
#include "cli/logging.h"
#include "cli/settings_file.h"
#include "cli/warm_memory.h"
#include "transfer_queue/error.h"

namespace tq::cli {
namespace {

int exit_code_of(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kInvalidArgument:
      return kUsage;
    case ErrorCode::kNotFound:
      return kNotFound;
    default:
      return kFailed;
  }
}

// What the error's text does not say: where a wrong value came from an environment variable, nobody
// typed it; and what is missing may be given by one.
std::string variable_behind(const CLI::App& program, const CLI::ParseError& error) {
  const bool is_missing = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  const std::string_view message = error.what();
  std::vector<const CLI::App*> commands = {&program};
  for (size_t i = 0; i < commands.size(); ++i) {
    const auto below = commands[i]->get_subcommands([&](const CLI::App* sub) {
      return !is_missing || sub->parsed();  // variables are read for all, whatever was typed
    });
    commands.insert(commands.end(), below.begin(), below.end());
  }
  for (const CLI::App* command : commands) {
    for (const CLI::Option* option : command->get_options()) {
      const std::string variable = option->get_envname();
      if (variable.empty() || message.find(option->get_name()) == message.npos) continue;
      if (is_missing) return fmt::format("; give it, or set {}", variable);
      // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment
      if (std::getenv(variable.c_str()) == nullptr) continue;
      return fmt::format(" (from the environment variable {})", variable);
    }
  }
  return {};
}

// What was said wrong, in a sentence.
std::string problem_of(const CLI::App& program, const CLI::ParseError& error) {
  const std::string message = error.what();
  const std::vector<std::string> unknown = program.remaining(true);
  // The library counts subcommands, and does not look at what stands in place of one.
  if (message.find("subcommand is required") != message.npos && !unknown.empty()) {
    return fmt::format("there is no command '{}'", unknown.front());
  }
  return message + variable_behind(program, error);
}

int run(int argc, char** argv) {
  CLI::App program(
      "TransferQueue nodes in C++: they carry the data of reinforcement-learning post-training and "
      "speak the protocol of the Python package TransferQueue, so that its clients use them as "
      "they "
      "are.",
      "tq");
  program.set_version_flag("--version", "tq " TQ_VERSION);
  program.require_subcommand(1);
  program.get_formatter()->column_width(34);
  program.footer(
      "Start here: tq up --info-dir DIR, then join with a client; 'tq up --help' tells more.\n"
      "Exit status: 0 ok, 1 failed, 2 wrong usage, 3 cannot reach a node, 4 not found.");
  std::string log_level = "warning";
  program.add_option("--log-level", log_level, "debug, info, warning, error, critical or off")
      ->capture_default_str()
      ->check(log_level_problem)
      ->envname("TQ_LOGGING_LEVEL");
  std::string config;
  program
      .add_option(
          "--config", config,
          "Configuration file: upstream's YAML, with a section 'tq' for any flag; 'tq config "
          "up' shows what comes of it")
      ->type_name("FILE")
      ->envname("TQ_CONFIG");
  program.fallthrough();

  const auto start = std::make_shared<Start>();
  start->arguments.assign(argv + 1, argv + argc);
  const std::pair<const char*, Run> commands[] = {
      {"up", add_up(program)},
      {"controller", add_controller(program)},
      {"storage", add_storage(program)},
      {"kv", add_kv(program)},
      {"ckpt", add_ckpt(program)},
      {"selftest", add_selftest(program)},
      {"bench", add_bench(program)},
      {"limits", add_limits(program)},
      {"status", add_status(program)},
      {"doctor", add_doctor(program, start)},
      {"keygen", add_keygen(program)},
      {"config", add_config(program, start)},
      {"completion", add_completion(program)},
  };
  if (const auto file = settings_file_of(start->arguments)) {
    start->file = SettingsFile::read(*file);
    start->file->apply(program);
  }
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return program.exit(error), kOk;  // --help, --version
    fmt::print(stderr, "tq: {}\nRun 'tq --help' or 'tq COMMAND --help' for what can be said.\n",
               problem_of(program, error));
    return kUsage;
  }
  set_up_logging(log_level);
  if (start->file && !program.got_subcommand("doctor")) {  // which has them among its findings
    for (const std::string& warning : start->file->warnings()) spdlog::warn("{}", warning);
  }
  raise_file_limit();
  for (const auto& [name, run_command] : commands) {
    if (program.got_subcommand(name)) return run_command();
  }
  return kUsage;
}

}  // namespace
}  // namespace tq::cli

int main(int argc, char** argv) {
  tq::cli::keep_memory_warm();
  try {
    return tq::cli::run(argc, argv);
  } catch (const tq::Error& error) {
    fmt::print(stderr, "tq: {}\n", error.what());
    return tq::cli::exit_code_of(error);
  } catch (const std::exception& error) {
    fmt::print(stderr, "tq: {}\n", error.what());
    return tq::cli::kFailed;
  }
}
