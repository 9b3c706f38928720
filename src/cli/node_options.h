// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/controller.h"
#include "metrics/exporter.h"
#include "runtime/node.h"
#include "storage/storage_unit.h"

namespace tq::cli {

/// What a user may set on nodes, by flag or environment variable (flag wins). The one home of both.
struct NodeSettings {
  std::string bind = "127.0.0.1";
  std::string advertise;
  std::vector<std::string> allow;
  std::string curve_key;      // a file; none when empty
  std::string curve_clients;  // a file or folder
  int backlog = 4096;
  runtime::HeavyRequest heavy;
  wire::Limits limits;
  uint64_t keep_memory_bytes = uint64_t{256} << 20;
  std::string checkpoint_root;  // none when empty

  // The defaults of a role's settings stand with the role.
  controller::ControllerConfig controller;
  std::string sampler = "SequentialSampler";
  std::optional<int> sampler_socket;  // a descriptor, see SamplerProcess
  int sampler_timeout_ms = 10000;
  storage::StorageConfig storage;

  std::optional<int> metrics_port;  // nothing: no metrics over HTTP
  double metrics_timeout_s = 2;
};

void add_socket_options(CLI::App& command, NodeSettings& settings);
void add_controller_options(CLI::App& command, NodeSettings& settings);
void add_storage_options(CLI::App& command, NodeSettings& settings);
void add_metrics_options(CLI::App& command, NodeSettings& settings);

/// Throws Error(kInvalidArgument) for an address that is none, or a wildcard without --advertise.
runtime::NodeOptions to_node_options(const NodeSettings& settings);

std::unique_ptr<runtime::Node> start_controller(const NodeSettings& settings,
                                                const runtime::NodeOptions& options);
std::unique_ptr<runtime::Node> start_storage(const NodeSettings& settings,
                                             const runtime::NodeOptions& options);

/// Metrics over HTTP of these nodes, all of this process, at the address that they are bound to;
/// nullptr unless they are asked for. `units_dir`: see metrics::ExporterOptions.
std::unique_ptr<metrics::Exporter> start_exporter(const NodeSettings& settings,
                                                  const runtime::NodeOptions& options,
                                                  std::vector<ServerInfo> nodes,
                                                  const std::filesystem::path& units_dir);
/// What the line "ready: ..." says of it.
std::string metrics_note(const metrics::Exporter* exporter);

}  // namespace tq::cli
