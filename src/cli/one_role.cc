// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/info_files.h"
#include "cli/node_options.h"
#include "cli/serve.h"
#include "cli/signals.h"

namespace tq::cli {
namespace {

struct RoleSettings {
  NodeSettings node;
  StopSettings stop;
  std::filesystem::path info_file;
};

using Start = std::unique_ptr<runtime::Node> (*)(const NodeSettings&, const runtime::NodeOptions&);

int run_role(const RoleSettings& settings, Start start) {
  block_stop_signals(settings.stop);
  const runtime::NodeOptions options = to_node_options(settings.node);
  const auto folder = settings.info_file.parent_path().empty() ? std::filesystem::path(".")
                                                               : settings.info_file.parent_path();
  prepare_info_dir(folder);
  check_unused(settings.info_file);
  const auto node = start(settings.node, options);
  const auto exporter = start_exporter(settings.node, options, {node->info()}, folder);
  InfoFiles files;
  files.write(settings.info_file, node->info());
  const std::string what = fmt::format("{} at {}; address in {}", node->info().id,
                                       endpoint_of(node->info()), settings.info_file.string());
  serve_until_stopped(what, exporter.get(), settings.stop);
  return kOk;
}

CLI::App* add_role(CLI::App& program, RoleSettings& settings, const char* name,
                   const char* description) {
  CLI::App* command = program.add_subcommand(name, description);
  command
      ->add_option("--info-file", settings.info_file,
                   "File that receives the node's address as JSON")
      ->required()
      ->type_name("FILE");
  add_stop_options(*command, settings.stop);
  add_socket_options(*command, settings.node);
  add_metrics_options(*command, settings.node);
  return command;
}

}  // namespace

Run add_controller(CLI::App& program) {
  auto settings = std::make_shared<RoleSettings>();
  CLI::App* command =
      add_role(program, *settings, "controller",
               "Run a controller alone: it keeps partitions, keys, tags and who consumed what.");
  add_controller_options(*command, settings->node);
  command->footer("Example: tq controller --info-file /run/tq/controller.json --polling");
  return [settings] { return run_role(*settings, start_controller); };
}

Run add_storage(CLI::App& program) {
  auto settings = std::make_shared<RoleSettings>();
  CLI::App* command = add_role(program, *settings, "storage",
                               "Run one storage unit alone: it keeps the rows of samples.");
  add_storage_options(*command, settings->node);
  command->footer("Example: tq storage --info-file /run/tq/storage-0.json --capacity-bytes 8GiB");
  return [settings] { return run_role(*settings, start_storage); };
}

}  // namespace tq::cli
