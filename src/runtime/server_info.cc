// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "transfer_queue/endpoint.h"

namespace tq {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void fail_to_write(const std::filesystem::path& file, int error) {
  throw Error(ErrorCode::kUnavailable,
              fmt::format("cannot write {}: {}", file.string(), std::strerror(error)));
}

int port_of(const Json& port) {
  // The library would take 1.5 for 1 and wrap what is too large.
  if (!port.is_number_integer() || port < 1 || port > 65535) {
    throw std::runtime_error(port.dump() + " is no port");
  }
  return port.get<int>();
}

// Removes the temporary file unless it was renamed.
struct TemporaryFile {
  std::filesystem::path path;
  int descriptor;
  ~TemporaryFile() {
    if (descriptor >= 0) ::close(descriptor);
    if (!path.empty()) ::unlink(path.c_str());
  }
};

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
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("this is no node address ({}); it must be a JSON object of role, id, ip "
                    "and ports",
                    error.what()));
  }
}

void ServerInfo::write(const std::filesystem::path& file) const {
  std::string pattern = file.string() + ".XXXXXX";
  TemporaryFile temporary{{}, ::mkstemp(pattern.data())};
  if (temporary.descriptor < 0) fail_to_write(file, errno);
  temporary.path = pattern;
  const std::string text = to_json() + "\n";
  if (::write(temporary.descriptor, text.data(), text.size()) !=
          static_cast<ssize_t>(text.size()) ||
      ::fchmod(temporary.descriptor, 0644) != 0 || ::fsync(temporary.descriptor) != 0 ||
      ::rename(pattern.c_str(), file.c_str()) != 0) {
    fail_to_write(file, errno);
  }
  temporary.path.clear();
}

ServerInfo ServerInfo::read(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream) {
    throw Error(ErrorCode::kNotFound, fmt::format("cannot read the node address {}: {}",
                                                  file.string(), std::strerror(errno)));
  }
  std::ostringstream text;
  text << stream.rdbuf();
  try {
    return from_json(text.str());
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{}: {}", file.string(), error.what()));
  }
}

}  // namespace tq
