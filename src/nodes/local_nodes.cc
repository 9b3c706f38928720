// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <pthread.h>

#include <csignal>
#include <utility>
#include <vector>

#include "nodes/start.h"
#include "runtime/curve_files.h"
#include "transfer_queue/error.h"
#include "transfer_queue/nodes.h"

namespace tq {
namespace {

/// Threads that are started meanwhile take no signal: handlers are the program's, and so are the
/// threads they run on.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t signals;
    sigfillset(&signals);
    // What a thread does to itself must reach it.
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) {
      sigdelset(&signals, own);
    }
    pthread_sigmask(SIG_BLOCK, &signals, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

void check(bool makes_sense, const char* option, const char* bounds) {
  if (makes_sense) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("LocalNodesOptions::{} must be {}", option, bounds));
}

void check(const LocalNodesOptions& options) {
  constexpr int kUnitsMax = 1024;
  constexpr size_t kPreAllocMax = size_t{1} << 24;
  check(options.storage_units >= 0 && options.storage_units <= kUnitsMax, "storage_units",
        "from 0 to 1024");
  check(options.pre_alloc_samples > 0 && options.pre_alloc_samples <= kPreAllocMax,
        "pre_alloc_samples", "from 1 to 16777216");
  check(options.fetch_wait.count() >= 0, "fetch_wait", "0 or more");
  check(options.index_rest.count() >= 0, "index_rest", "0 or more");
  check(options.capacity_samples.value_or(1) > 0, "capacity_samples", "positive");
  check(options.capacity_bytes.value_or(1) > 0, "capacity_bytes", "positive");
  check(options.ssd_threshold_bytes > 0, "ssd_threshold_bytes", "positive");
}

controller::ControllerConfig controller_config(const LocalNodesOptions& options,
                                               checkpoint::RootPointer root) {
  using Seconds = std::chrono::duration<double>;
  controller::ControllerConfig config;
  config.checkpoint_root = std::move(root);
  config.polling_mode = options.polling_mode;
  config.pre_alloc_samples = options.pre_alloc_samples;
  config.check_interval_s = config.get_metadata_timeout_s = Seconds(options.fetch_wait).count();
  config.index_rest_s = Seconds(options.index_rest).count();
  return config;
}

}  // namespace

struct LocalNodes::Impl {
  Nodes addresses;
  std::vector<std::unique_ptr<runtime::Node>> nodes;
};

LocalNodes::LocalNodes(LocalNodesOptions options) : impl_(std::make_unique<Impl>()) {
  check(options);
  checkpoint::RootPointer root;
  if (!options.checkpoint_root.empty()) {
    root = std::make_shared<const checkpoint::Root>(options.checkpoint_root);
  }
  runtime::NodeOptions listen = nodes::listen_at(
      options.bind, options.advertise, "LocalNodesOptions::bind", "LocalNodesOptions::advertise");
  listen.curve = runtime::node_curve({"LocalNodesOptions::curve_key", options.curve_key},
                                     {"LocalNodesOptions::curve_clients", options.curve_clients});
  const SignalsBlocked signals_blocked;
  const auto started = [&](std::unique_ptr<runtime::Node> node) -> const ServerInfo& {
    listen = nodes::after(std::move(listen), *node);
    return impl_->nodes.emplace_back(std::move(node))->info();
  };
  if (options.with_controller) {
    impl_->addresses.controller =
        started(nodes::start_controller(controller_config(options, root), listen,
                                        std::move(options.sampler), std::move(options.samplers)));
  }
  storage::StorageConfig unit{options.capacity_samples, options.capacity_bytes, {}};
  unit.checkpoint_root = root;
  unit.ssd = {options.ssd_path, options.ssd_threshold_bytes};
  for (int i = 0; i < options.storage_units; ++i) {
    impl_->addresses.storage_units.push_back(started(nodes::start_storage(unit, listen)));
  }
}

LocalNodes::~LocalNodes() { stop(); }

const Nodes& LocalNodes::addresses() const noexcept { return impl_->addresses; }

void LocalNodes::stop() noexcept {
  // All at once: a node waits half a second for a peer that does not read.
  for (const auto& node : impl_->nodes) node->stop();
  impl_->nodes.clear();
}

}  // namespace tq
