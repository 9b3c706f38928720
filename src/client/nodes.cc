// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <charconv>
#include <map>

#include "transfer_queue/client.h"

namespace tq {
namespace {

// The N of storage-N.json.
std::optional<int> unit_number(const std::filesystem::path& file) {
  const std::string stem = file.stem().string();
  constexpr std::string_view kPrefix = "storage-";
  if (file.extension() != ".json" || !stem.starts_with(kPrefix)) return std::nullopt;
  int number = 0;
  const char* end = stem.data() + stem.size();
  const auto [stop, error] = std::from_chars(stem.data() + kPrefix.size(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

}  // namespace

Nodes Nodes::read(const std::filesystem::path& directory) {
  std::error_code error;
  std::map<int, std::filesystem::path> units;  // storage-10 after storage-9
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (const auto number = unit_number(entry.path())) units.emplace(*number, entry.path());
  }
  if (error) {
    throw Error(ErrorCode::kNotFound,
                fmt::format("cannot read the folder {}: {}", directory.string(), error.message()));
  }
  Nodes nodes;
  nodes.controller = ServerInfo::read(directory / "controller.json");
  for (const auto& [number, file] : units) nodes.storage_units.push_back(ServerInfo::read(file));
  if (nodes.storage_units.empty()) {
    throw Error(
        ErrorCode::kNotFound,
        fmt::format("{} has a controller.json but no storage-0.json; start units with 'tq up' "
                    "or 'tq storage'",
                    directory.string()));
  }
  return nodes;
}

}  // namespace tq
