// SPDX-License-Identifier: Apache-2.0
#include "runtime/node.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cstdlib>

namespace tq::runtime {

Node::Node(std::unique_ptr<Actor> actor, std::string_view role,
           const std::vector<std::string>& socket_names, const NodeOptions& options)
    : actor_(std::move(actor)) {
  info_.role = role;
  info_.id = actor_->id();
  info_.ip = options.advertise.empty() ? options.bind.host : options.advertise;
  loop_ = std::make_unique<EventLoop>(*actor_, options.limits, options.heavy, options.when_idle);
  BindAddress address = options.bind;
  for (const std::string& name : socket_names) {
    if (address.port > 65535) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("there is no port {} for {}; choose a smaller first port",
                              address.port, name));
    }
    info_.ports.emplace_back(
        name,
        loop_->listen(name, {address, options.backlog, options.allowed, options.curve}).port());
    if (address.port != 0) ++address.port;
  }
  // The registry of loggers is made at its first use: here, rather than by whichever loop logs
  // first.
  spdlog::default_logger_raw();
  thread_ = std::thread([this] {
    try {
      loop_->run();
    } catch (const std::exception& error) {
      // Only the kernel can bring the loop here. A node that cannot serve must not look
      // alive, so the process ends with its reason.
      spdlog::critical("{}: the event loop failed: {}", info_.id, error.what());
      std::_Exit(1);
    }
  });
}

Node::~Node() {
  loop_->stop();
  thread_.join();
}

}  // namespace tq::runtime
