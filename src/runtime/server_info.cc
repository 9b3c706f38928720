// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "runtime/whole_file.h"
#include "transfer_queue/endpoint.h"

namespace tq {
namespace {

using Json = nlohmann::ordered_json;

int port_of(const Json& port) {
  // The library would take 1.5 for 1 and wrap what is too large.
  if (!port.is_number_integer() || port < 1 || port > 65535) {
    throw std::runtime_error(port.dump() + " is no port");
  }
  return port.get<int>();
}

}  // namespace

std::string tcp_endpoint(std::string_view host, int port) {
  const bool ipv6 = host.find(':') != std::string_view::npos;
  return ipv6 ? fmt::format("tcp://[{}]:{}", host, port) : fmt::format("tcp://{}:{}", host, port);
}

std::string ServerInfo::endpoint(std::string_view socket_name) const {
  for (const auto& [name, port] : ports) {
    if (name == socket_name) return tcp_endpoint(ip, port);
  }
  throw Error(ErrorCode::kNotFound, fmt::format("node {} has no socket '{}'", id, socket_name));
}

std::string ServerInfo::to_json() const {
  Json port_map = Json::object();
  for (const auto& [name, port] : ports) port_map[name] = port;
  return Json{{"role", role}, {"id", id}, {"ip", ip}, {"ports", port_map}}.dump();
}

ServerInfo ServerInfo::from_json(std::string_view json) {
  try {
    const Json record = Json::parse(json);
    ServerInfo info{record.at("role"), record.at("id"), record.at("ip"), {}};
    const Json& ports = record.at("ports");
    if (!ports.is_object()) throw std::runtime_error("ports is no object");
    for (const auto& [name, port] : ports.items()) info.ports.emplace_back(name, port_of(port));
    return info;
  } catch (const std::exception& error) {
    std::string_view reason = error.what();  // "[json.exception.type_error.302] type must be ..."
    if (const size_t tag_end = reason.find("] ");
        reason.starts_with('[') && tag_end != reason.npos) {
      reason.remove_prefix(tag_end + 2);
    }
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("this is no node address ({}); it must be a JSON object of role, id, ip "
                    "and ports",
                    reason));
  }
}

void ServerInfo::write(const std::filesystem::path& file) const {
  runtime::write_file(file, to_json() + "\n");
}

ServerInfo ServerInfo::read(const std::filesystem::path& file) {
  const std::string text = runtime::read_file(file);
  try {
    return from_json(text);
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{}: {}", file.string(), error.what()));
  }
}

}  // namespace tq
