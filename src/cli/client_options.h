// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <memory>

#include "transfer_queue/client.h"

namespace tq::cli {

/// What every command that talks to running nodes may be told.
struct ClientSettings {
  std::filesystem::path info_dir;
  double deadline_s = 10;
};

/// Adds --info-dir (returned, so that a command may say whether it must be given) and --deadline.
CLI::Option* add_client_options(CLI::App& command, ClientSettings& settings);

/// Reads the addresses and joins the nodes. Throws Error as both do.
std::unique_ptr<TransferQueueClient> join(const ClientSettings& settings);

/// Runs a command's work; when a node cannot be reached or stays silent, prints the error and
/// returns kUnreachable.
int reaching(const std::function<int()>& work);

}  // namespace tq::cli
