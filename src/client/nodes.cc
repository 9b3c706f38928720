// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <map>

#include "runtime/unit_file.h"
#include "transfer_queue/client.h"

namespace tq {
namespace {

ServerInfo read_node(const std::filesystem::path& file, std::string_view role) {
  ServerInfo node = ServerInfo::read(file);
  if (node.role != role) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("{} is the address of a {}, not of a {}",
                                                         file.string(), node.role, role));
  }
  return node;
}

[[noreturn]] void fail_no_nodes(const std::filesystem::path& directory, std::string_view why) {
  throw Error(
      ErrorCode::kNotFound,
      fmt::format("no nodes have their addresses in {}: {}; start them with 'tq up --info-dir "
                  "{}', or name the folder of running ones",
                  directory.string(), why, directory.string()));
}

}  // namespace

Nodes Nodes::read(const std::filesystem::path& directory) {
  std::error_code error;
  std::map<int, std::filesystem::path> units;  // storage-10 after storage-9
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (const auto number = runtime::unit_number(entry.path()))
      units.emplace(*number, entry.path());
  }
  if (error) fail_no_nodes(directory, error.message());
  const std::filesystem::path controller = runtime::controller_file(directory);
  if (!std::filesystem::exists(controller, error)) fail_no_nodes(directory, "no controller.json");
  Nodes nodes;
  nodes.controller = read_node(controller, ServerInfo::kControllerRole);
  for (const auto& [number, file] : units) {
    // Samples go to units by their number: with one left out, all would be looked for elsewhere.
    if (number != static_cast<int>(nodes.storage_units.size())) break;
    nodes.storage_units.push_back(read_node(file, ServerInfo::kStorageRole));
  }
  if (nodes.storage_units.size() != units.size() || units.empty()) {
    throw Error(ErrorCode::kNotFound,
                fmt::format("{} has {} but no storage-{}.json; units are counted from 0 without "
                            "gaps, 'tq up' and 'tq storage' start them",
                            directory.string(),
                            units.empty() ? "a controller.json"
                                          : units.rbegin()->second.filename().string(),
                            nodes.storage_units.size()));
  }
  return nodes;
}

}  // namespace tq
