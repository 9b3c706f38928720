// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/doctor_checks.h"
#include "runtime/unit_file.h"

namespace tq::cli {
namespace {

using Level = Finding::Level;

// Reads one address and checks that a client can use it.
std::optional<ServerInfo> read_address(const std::filesystem::path& file, std::string_view role,
                                       const char* socket, Findings& findings) {
  const std::string name = file.stem().string();
  try {
    ServerInfo node = ServerInfo::read(file);
    if (node.role != role) {
      findings.push_back(
          {Level::kProblem, name,
           fmt::format("{} is the address of a {}, not of a {}", file.string(), node.role, role),
           "two nodes were given each other's --info-file; start them again with "
           "their own"});
      return std::nullopt;
    }
    node.endpoint(socket);  // throws where there is none
    return node;
  } catch (const Error& error) {
    const bool is_missing = error.code() == ErrorCode::kNotFound;
    findings.push_back(
        {Level::kProblem, name, error.what(),
         is_missing && name == "controller"
             ? "start nodes with 'tq up --info-dir', or name the folder where they "
               "wrote their addresses"
             : "remove the file and start the node again; it writes the file whole"});
    return std::nullopt;
  }
}

void check_twice(const AddressFiles& nodes, Findings& findings) {
  std::map<std::string, std::string> seen;
  for (const auto& [name, unit] : nodes.units) {
    const auto [first, is_new] = seen.try_emplace(unit.endpoint("put_get_socket"), name);
    if (is_new) continue;
    findings.push_back({Level::kProblem, name,
                        fmt::format("{}.json and {}.json name the same unit, {}", first->second,
                                    name, first->first),
                        "each sample is looked for at one unit by its number; start another unit "
                        "for one of the files"});
  }
}

bool is_loopback(const ServerInfo& node) { return node.ip.starts_with("127.") || node.ip == "::1"; }

void check_loopback(const AddressFiles& nodes, Findings& findings) {
  std::vector<std::string> local;
  bool any_remote = false;
  const auto look = [&](const std::string& name, const ServerInfo& node) {
    is_loopback(node) ? local.push_back(name) : void(any_remote = true);
  };
  if (nodes.controller) look("controller", *nodes.controller);
  for (const auto& [name, unit] : nodes.units) look(name, unit);
  if (!any_remote) return;
  for (const std::string& name : local) {
    findings.push_back({Level::kWarning, name,
                        "it is told to peers as an address of their own machine, while other nodes "
                        "have addresses of the network",
                        "start it with --bind and the address that other machines know"});
  }
}

}  // namespace

AddressFiles check_addresses(const std::filesystem::path& folder, Findings& findings) {
  AddressFiles nodes;
  std::map<int, std::filesystem::path> units;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (const auto number = runtime::unit_number(entry.path())) units[*number] = entry.path();
  }
  if (error) {
    findings.push_back(
        {Level::kProblem, "addresses",
         fmt::format("cannot read the folder {}: {}", folder.string(), error.message()),
         "name the folder that 'tq up --info-dir' was given, with --info-dir or "
         "TQ_INFO_DIR"});
    return nodes;
  }
  const size_t before = findings.size();
  nodes.controller = read_address(runtime::controller_file(folder), ServerInfo::kControllerRole,
                                  "request_handle_socket", findings);
  int next = 0;
  for (const auto& [number, file] : units) {
    if (number != next) {
      findings.push_back({Level::kProblem, fmt::format("storage-{}", next),
                          fmt::format("{} has {} but no storage-{}.json", folder.string(),
                                      file.filename().string(), next),
                          "units are counted from 0 without gaps: start the missing one, or give "
                          "the others the numbers below"});
    }
    next = number + 1;
    if (auto unit = read_address(file, ServerInfo::kStorageRole, "put_get_socket", findings)) {
      nodes.units.emplace_back(file.stem().string(), std::move(*unit));
    }
  }
  if (units.empty()) {
    findings.push_back({Level::kProblem, "addresses",
                        fmt::format("{} has no storage-0.json", folder.string()),
                        "start storage units: 'tq up --units', or 'tq storage --info-file'"});
  }
  check_twice(nodes, findings);
  check_loopback(nodes, findings);
  if (findings.size() == before) {
    findings.push_back({Level::kOk, "addresses",
                        fmt::format("{}: a controller and {} storage unit{}", folder.string(),
                                    units.size(), units.size() == 1 ? "" : "s"),
                        ""});
  }
  return nodes;
}

}  // namespace tq::cli
