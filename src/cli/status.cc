// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "cli/client_options.h"
#include "cli/cluster_view.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/json_value.h"
#include "cli/signals.h"
#include "cli/status_text.h"

namespace tq::cli {
namespace {

struct StatusSettings {
  ClientSettings client;
  std::vector<std::string> tasks;
  bool watch = false;
  double interval_s = 2;
  bool json = false;
};

int print_once(const ClusterView& view, const ClusterView* before, bool json) {
  const std::string text = json ? json_text(status_json(view, before)) : status_text(view, before);
  fmt::print("{}", text);
  std::fflush(stdout);
  const bool all_answer =
      view.controller.ok() && std::all_of(view.units.begin(), view.units.end(),
                                          [](const ClusterView::Node& unit) { return unit.ok(); });
  return all_answer ? kOk : kUnreachable;
}

// Refreshes in place on a terminal; elsewhere one picture follows the other.
int watch(ClusterWatch& nodes, const StatusSettings& settings) {
  block_stop_signals({});
  const bool in_place = ::isatty(STDOUT_FILENO) == 1 && !settings.json;
  std::optional<ClusterView> before;
  for (;;) {
    ClusterView view = nodes.look();
    if (in_place) fmt::print("\033[H\033[2J");
    print_once(view, before ? &*before : nullptr, settings.json);
    before = std::move(view);
    if (stop_within(settings.interval_s)) return kOk;
  }
}

int run_status(const StatusSettings& settings) {
  ClusterWatch nodes(Nodes::read(settings.client.info_dir), settings.client.deadline(),
                     settings.tasks, keys_of(settings.client));
  if (settings.watch) return watch(nodes, settings);
  return print_once(nodes.look(), nullptr, settings.json);
}

}  // namespace

Run add_status(CLI::App& program) {
  auto settings = std::make_shared<StatusSettings>();
  CLI::App* command = program.add_subcommand(
      "status",
      "Show running nodes (C++ or Python): versions, memory, what they serve, and for each "
      "partition which fields are ready and how far its tasks are.");
  add_client_options(*command, settings->client)->required();
  command
      ->add_option("--task", settings->tasks,
                   "A task of which a Python controller is asked, which cannot list its tasks; may "
                   "be given several times")
      ->type_name("NAME")
      ->allow_extra_args(false);
  CLI::Option* watch =
      command->add_flag("--watch", settings->watch, "Refresh in place, with rates, until Ctrl-C");
  command->add_option("--interval", settings->interval_s, "Seconds between two looks of --watch")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 3600.0))
      ->needs(watch)
      ->type_name("SECONDS");
  command->add_flag("--json", settings->json,
                    "Print everything as JSON; with --watch one object after the other");
  command->footer(
      "Example: tq status --info-dir /run/tq --watch\n"
      "Exit status 3 when a node did not answer; the others are shown all the same.");
  return [settings] { return reaching([&] { return run_status(*settings); }); };
}

}  // namespace tq::cli
