// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <filesystem>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "runtime/curve_files.h"

namespace tq::cli {
namespace {

struct KeygenSettings {
  std::filesystem::path file;
  bool force = false;
};

int run_keygen(const KeygenSettings& settings) {
  const zmtp::CurveKeyPair pair = zmtp::CurveKeyPair::generate();
  runtime::write_curve_files(settings.file, pair, settings.force);
  fmt::print("{}: the secret key, for its owner alone\n{}: the public key {}\n",
             settings.file.string(), runtime::public_key_file(settings.file).string(),
             zmtp::curve_key_text(pair.public_key));
  return kOk;
}

}  // namespace

Run add_keygen(CLI::App& program) {
  auto settings = std::make_shared<KeygenSettings>();
  CLI::App* command = program.add_subcommand(
      "keygen",
      "Make a key pair for encrypted connections: FILE, the secret key, which only you may read, "
      "and FILE.pub, the public key, for the other side.\n"
      "Nodes have one pair, all of them the same; each client has its own.");
  command->add_option("file", settings->file, "The file of the secret key")
      ->required()
      ->type_name("FILE");
  command->add_flag("--force", settings->force, "Replace a key that is there");
  command->footer(
      "Example: tq keygen nodes.key; tq keygen trainer.key\n"
      "         tq up --info-dir /run/tq --curve-key nodes.key --curve-clients trainer.key.pub\n"
      "         tq status --info-dir /run/tq --curve-key trainer.key --curve-server-key "
      "nodes.key.pub");
  return [settings] { return run_keygen(*settings); };
}

}  // namespace tq::cli
