// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>

namespace tq::runtime {

/// The N of storage-N.json, N >= 0; nothing for any other name.
std::optional<int> unit_number(const std::filesystem::path& file);

}  // namespace tq::runtime
