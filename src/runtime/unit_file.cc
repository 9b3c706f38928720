// SPDX-License-Identifier: Apache-2.0
#include "runtime/unit_file.h"

#include <charconv>
#include <string>

namespace tq::runtime {

std::filesystem::path controller_file(const std::filesystem::path& folder) {
  return folder / "controller.json";
}

std::filesystem::path unit_file(const std::filesystem::path& folder, int number) {
  return folder / ("storage-" + std::to_string(number) + ".json");
}

std::optional<int> unit_number(const std::filesystem::path& file) {
  const std::string stem = file.stem().string();
  constexpr std::string_view kPrefix = "storage-";
  if (file.extension() != ".json" || !stem.starts_with(kPrefix)) return std::nullopt;
  int number = 0;
  const char* end = stem.data() + stem.size();
  const auto [stop, error] = std::from_chars(stem.data() + kPrefix.size(), end, number);
  if (error != std::errc() || stop != end || number < 0) return std::nullopt;
  return number;
}

}  // namespace tq::runtime
