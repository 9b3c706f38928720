// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/info_files.h"
#include "cli/node_options.h"
#include "cli/serve.h"
#include "cli/signals.h"
#include "nodes/start.h"
#include "runtime/unit_file.h"

namespace tq::cli {
namespace {

struct UpSettings {
  NodeSettings nodes;
  StopSettings stop;
  std::filesystem::path info_dir;
  int units = 2;
  bool no_controller = false;
};

std::string ready_line(const UpSettings& settings, const runtime::Node* controller) {
  std::string units =
      fmt::format("{} storage unit{}", settings.units, settings.units == 1 ? "" : "s");
  if (controller == nullptr) return units;
  return fmt::format("{} at {}, {}", controller->info().id, endpoint_of(controller->info()), units);
}

// Before any node is started, for one that is told so late has kept ports and memory meanwhile.
void prepare_folder(const UpSettings& settings) {
  prepare_info_dir(settings.info_dir);
  if (!settings.no_controller) check_unused(runtime::controller_file(settings.info_dir));
  for (int i = 0; i < settings.units; ++i) check_unused(runtime::unit_file(settings.info_dir, i));
}

int run_up(const UpSettings& settings) {
  block_stop_signals(settings.stop);
  runtime::NodeOptions options = to_node_options(settings.nodes);
  prepare_folder(settings);
  std::unique_ptr<runtime::Node> controller;
  if (!settings.no_controller) {
    controller = start_controller(settings.nodes, options);
    options = nodes::after(std::move(options), *controller);
  }
  std::vector<std::unique_ptr<runtime::Node>> units;
  for (int i = 0; i < settings.units; ++i) {
    units.push_back(start_storage(settings.nodes, options));
    options = nodes::after(std::move(options), *units.back());
  }
  std::vector<ServerInfo> infos;
  if (controller != nullptr) infos.push_back(controller->info());
  for (const auto& unit : units) infos.push_back(unit->info());
  const auto exporter = start_exporter(settings.nodes, options, infos, settings.info_dir);
  // The controller's address comes last: where it stands, all units can be found. So one that a
  // killed run left goes first.
  InfoFiles files;
  if (controller != nullptr) std::filesystem::remove(runtime::controller_file(settings.info_dir));
  remove_leftover_units(settings.info_dir, settings.units);
  for (int i = 0; i < settings.units; ++i)
    files.write(runtime::unit_file(settings.info_dir, i), units[i]->info());
  if (controller != nullptr)
    files.write(runtime::controller_file(settings.info_dir), controller->info());
  const std::string what = fmt::format(
      "{}; addresses in {}", ready_line(settings, controller.get()), settings.info_dir.string());
  serve_until_stopped(what, exporter.get(), settings.stop);
  // All at once: a node waits half a second for a peer that does not read.
  if (controller != nullptr) controller->stop();
  for (const auto& unit : units) unit->stop();
  return kOk;
}

}  // namespace

Run add_up(CLI::App& program) {
  auto settings = std::make_shared<UpSettings>();
  CLI::App* command = program.add_subcommand(
      "up",
      "Run a controller and storage units in this process, until SIGTERM or Ctrl-C.\n"
      "Writes DIR/controller.json and DIR/storage-0.json, storage-1.json, ... for clients to find "
      "them, never over those of nodes that run; prints one line when ready.");
  command
      ->add_option("--info-dir", settings->info_dir,
                   "Folder that receives the addresses; created if it is not there")
      ->required()
      ->type_name("DIR");
  command->add_option("--units", settings->units, "Storage units")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  command->add_flag("--no-controller", settings->no_controller,
                    "Storage units only, for a controller that runs elsewhere");
  add_stop_options(*command, settings->stop);
  add_socket_options(*command, settings->nodes);
  add_controller_options(*command, settings->nodes);
  add_storage_options(*command, settings->nodes);
  add_metrics_options(*command, settings->nodes);
  command->footer("Example: tq up --units 2 --info-dir /run/tq --capacity-bytes 8GiB");
  return [settings] { return run_up(*settings); };
}

}  // namespace tq::cli
