// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <optional>

#include "cli/checkpoint_view.h"
#include "cli/client_options.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/json_value.h"
#include "cli/leaf.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "transfer_queue/checkpoint.h"

namespace tq::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct CkptSettings {
  ClientSettings client;
  fs::path folder;
  std::string metadata;
  bool json = false;
};

Map metadata_of(const CkptSettings& s) {
  if (s.metadata.empty()) return {};
  const Value value = to_value(parse_json(s.metadata, "--metadata"));
  if (const Map* map = value.get_if<Map>()) return *map;
  throw Error(
      ErrorCode::kInvalidArgument,
      fmt::format("--metadata {}: give a JSON object, for instance {{\"step\": 10}}", s.metadata));
}

std::chrono::milliseconds deadline_of(const CkptSettings& s) {
  return std::chrono::milliseconds(static_cast<int64_t>(s.client.deadline_s * 1000));
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The refusals of nodes name no kind of error, and what they refuse was typed well enough to get
// there: it has failed, and is no wrong usage.
void ask(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
    throw Error(ErrorCode::kInternal, error.what());
  }
}

// The closing line of save and load.
void print_done(const char* done, const CkptSettings& s, double seconds, const Value& metadata) {
  const uint64_t bytes = bytes_in(s.folder);
  const std::optional<int64_t> samples = samples_in(s.folder);
  if (s.json) {
    const Json json = {{"folder", s.folder.string()},
                       {"bytes", bytes},
                       {"seconds", seconds},
                       {"samples", samples ? Json(*samples) : Json(nullptr)},
                       {"metadata", to_json(metadata)}};
    fmt::print("{}", json_text(json));
    return;
  }
  fmt::print(
      "{} {}: {}, {}{:.2f} s\n", done, s.folder.string(), bytes_text(static_cast<double>(bytes)),
      samples ? fmt::format("{} sample{}, ", *samples, *samples == 1 ? "" : "s") : "", seconds);
}

int run_save(const CkptSettings& s) {
  SaveCheckpointOptions options;
  options.metadata = metadata_of(s);
  options.deadline = deadline_of(s);
  return reaching([&] {
    const auto client = join(s.client);
    const auto start = Clock::now();
    {
      fs::path written = s.folder;
      written += ".tmp";  // where it grows, see transfer_queue/checkpoint.h
      const LiveLine line([&] {
        return fmt::format("saving {}: {}, {:.0f} s", s.folder.string(),
                           bytes_text(static_cast<double>(bytes_in(written))),
                           seconds_since(start));
      });
      ask([&] { save_checkpoint(*client, s.folder, options); });
    }
    print_done("saved", s, seconds_since(start), options.metadata);
    return static_cast<int>(kOk);
  });
}

int run_load(const CkptSettings& s) {
  return reaching([&] {
    const auto client = join(s.client);
    const auto start = Clock::now();
    Map metadata;
    {
      const std::string size = bytes_text(static_cast<double>(bytes_in(s.folder)));
      const LiveLine line([&] {
        return fmt::format("loading {}: {}, {:.0f} s", s.folder.string(), size,
                           seconds_since(start));
      });
      ask([&] { metadata = load_checkpoint(*client, s.folder, deadline_of(s)); });
    }
    print_done("loaded", s, seconds_since(start), metadata);
    return static_cast<int>(kOk);
  });
}

int run_show(const CkptSettings& s) {
  const CheckpointView view = look_at_checkpoint(s.folder);
  if (s.json) {
    fmt::print("{}", json_text(checkpoint_json(view)));
  } else {
    fmt::print("{}", checkpoint_text(view));
  }
  if (view.damaged() == 0) return kOk;
  fmt::print(stderr, "tq: {} of {} files of {} are damaged; nodes would refuse to load it\n",
             view.damaged(), view.files.size(), s.folder.string());
  return kFailed;
}

using CkptLeaf = Leaf<CkptSettings>;

CkptLeaf new_leaf(CLI::App& ckpt, const char* name, const char* description, bool asks_nodes,
                  int (*run)(const CkptSettings&)) {
  CkptLeaf leaf(ckpt, name, description, run);
  if (asks_nodes) {
    leaf.settings->client.deadline_s =
        std::chrono::duration<double>(TransferQueueClient::kCheckpointDeadline).count();
    add_client_options(*leaf.app, leaf.settings->client)->required();
  }
  leaf.app->add_option("path", leaf.settings->folder, "Folder of the checkpoint")
      ->required()
      ->type_name("PATH");
  leaf.app->add_flag("--json", leaf.settings->json, "Print the same as JSON");
  return leaf;
}

CkptLeaf add_save(CLI::App& ckpt) {
  CkptLeaf leaf =
      new_leaf(ckpt, "save",
               "Have running nodes save everything that they hold into a folder, in place "
               "of the checkpoint that is there.",
               true, run_save);
  leaf.app
      ->add_option("--metadata", leaf.settings->metadata,
                   "What load shall give back, a JSON object")
      ->type_name("JSON");
  leaf.app->footer(
      "Example: tq ckpt save --info-dir DIR /data/checkpoints/step-10 --metadata '{\"step\": 10}'\n"
      "This program and all nodes must see PATH under the same name, below the nodes' "
      "--checkpoint-root.");
  return leaf;
}

CkptLeaf add_load(CLI::App& ckpt) {
  CkptLeaf leaf = new_leaf(
      ckpt, "load", "Have running nodes load a checkpoint, in place of everything that they hold.",
      true, run_load);
  leaf.app->footer(
      "Example: tq ckpt load --info-dir DIR /data/checkpoints/step-10\n"
      "Nothing changes when a node refuses its part (exit status 1).");
  return leaf;
}

CkptLeaf add_show(CLI::App& ckpt) {
  CkptLeaf leaf =
      new_leaf(ckpt, "show",
               "Read a checkpoint without nodes: what is in it, and whether its files are "
               "whole.",
               false, run_show);
  leaf.app->footer(
      "Example: tq ckpt show /data/checkpoints/step-10 --json\n"
      "Exit status 1 where a file is damaged; the others are shown all the same.");
  return leaf;
}

}  // namespace

Run add_ckpt(CLI::App& program) {
  CLI::App* ckpt = program.add_subcommand(
      "ckpt", "Save and load everything that running nodes hold, and look at what was saved.");
  ckpt->require_subcommand(1);
  ckpt->footer(
      "'tq ckpt save --help' and so on tell more; the environment variable TQ_INFO_DIR saves "
      "--info-dir.");
  return run_chosen<CkptSettings>({add_save(*ckpt), add_load(*ckpt), add_show(*ckpt)});
}

}  // namespace tq::cli
