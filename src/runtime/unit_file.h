// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>

namespace tq::runtime {

/// Where the addresses of nodes stand in a folder: controller.json and storage-N.json.
std::filesystem::path controller_file(const std::filesystem::path& folder);
std::filesystem::path unit_file(const std::filesystem::path& folder, int number);

/// The N of storage-N.json, N >= 0; nothing for any other name.
std::optional<int> unit_number(const std::filesystem::path& file);

}  // namespace tq::runtime
