// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <memory>

#include "cli/child_nodes.h"
#include "transfer_queue/client.h"
#include "zmtp/curve_keys.h"

namespace tq::cli {

/// What every command that talks to running nodes may be told.
struct ClientSettings {
  std::filesystem::path info_dir;
  double deadline_s = 10;
  CurveOptions curve;

  std::chrono::milliseconds deadline() const {
    return std::chrono::milliseconds(static_cast<int64_t>(deadline_s * 1000));
  }
};

/// Adds --info-dir (returned, so that a command may say whether it must be given), --deadline,
/// --curve-key and --curve-server-key.
CLI::Option* add_client_options(CLI::App& command, ClientSettings& settings);

/// For a command that was given no nodes: those that it started.
void use_own_nodes(ClientSettings& settings, const ChildNodes& nodes);

/// Reads the addresses and joins the nodes. Throws Error as both do.
std::unique_ptr<TransferQueueClient> join(const ClientSettings& settings);

/// The keys that were given. Throws Error as ClientOptions::curve does.
zmtp::CurvePointer keys_of(const ClientSettings& settings);

/// Runs a command's work; when a node cannot be reached or stays silent, prints the error and
/// returns kUnreachable.
int reaching(const std::function<int()>& work);

}  // namespace tq::cli
