// SPDX-License-Identifier: Apache-2.0
#include "nodes/start.h"

#include <fmt/format.h>

#include <utility>

#include "runtime/bind_address.h"
#include "transfer_queue/error.h"

namespace tq::nodes {

std::unique_ptr<runtime::Node> start_controller(controller::ControllerConfig config,
                                                const runtime::NodeOptions& options,
                                                std::unique_ptr<Sampler> sampler,
                                                SamplerRegistry registry) {
  config.limits = options.limits;
  const std::vector<std::string> sockets = {
      "handshake_socket", "request_handle_socket",
      "data_status_update_socket",  // where clients up to 0.1.7 send NOTIFY_DATA_UPDATE
  };
  auto actor = std::make_unique<controller::Controller>(std::move(config), std::move(sampler),
                                                        std::move(registry));
  return std::make_unique<runtime::Node>(std::move(actor), ServerInfo::kControllerRole, sockets,
                                         options);
}

std::unique_ptr<runtime::Node> start_storage(storage::StorageConfig config,
                                             const runtime::NodeOptions& options) {
  config.limits = options.limits;
  return std::make_unique<runtime::Node>(std::make_unique<storage::StorageUnit>(std::move(config)),
                                         ServerInfo::kStorageRole,
                                         std::vector<std::string>{"put_get_socket"}, options);
}

runtime::NodeOptions after(runtime::NodeOptions options, const runtime::Node& started) {
  if (options.bind.port != 0) options.bind.port += static_cast<int>(started.info().ports.size());
  return options;
}

runtime::NodeOptions listen_at(const std::string& bind, const std::string& advertise,
                               const char* bind_name, const char* advertise_name) {
  runtime::NodeOptions options;
  options.bind = runtime::BindAddress::parse(bind);
  if (!advertise.empty()) {
    const runtime::BindAddress address = runtime::BindAddress::parse(advertise);
    if (address.port != 0 || address.is_wildcard()) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("{} {}: it must be one address without a port, the one that peers "
                              "connect to; a port is set with {} ADDR:PORT",
                              advertise_name, advertise, bind_name));
    }
    options.advertise = address.host;
  } else if (options.bind.is_wildcard()) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} {} listens on every address; say with {} ADDR which one peers "
                            "shall connect to",
                            bind_name, bind, advertise_name));
  }
  return options;
}

}  // namespace tq::nodes
