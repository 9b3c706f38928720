// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "controller/controller.h"
#include "runtime/node.h"
#include "storage/storage_unit.h"
#include "transfer_queue/sampler.h"

namespace tq::nodes {

/// Starts one node of each kind, with the sockets that its clients look for. The limits of
/// `options` are the node's too. Throws as runtime::Node does.
std::unique_ptr<runtime::Node> start_controller(
    controller::ControllerConfig config, const runtime::NodeOptions& options,
    std::unique_ptr<Sampler> sampler = nullptr,
    SamplerRegistry registry = SamplerRegistry::built_in());
std::unique_ptr<runtime::Node> start_storage(storage::StorageConfig config,
                                             const runtime::NodeOptions& options);

/// The options for the node after `started`: with a fixed port, the ports after its own.
runtime::NodeOptions after(runtime::NodeOptions options, const runtime::Node& started);

/// Where to listen and what to tell peers; throws Error(kInvalidArgument) for an address that is
/// none, or one that means all addresses without `advertise`. The names are what the user calls the
/// two, such as --bind.
runtime::NodeOptions listen_at(const std::string& bind, const std::string& advertise,
                               const char* bind_name, const char* advertise_name);

}  // namespace tq::nodes
