// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "transfer_queue/value.h"

namespace tq::client {

/// What JSON has a form for: nil, bool, int, double, str, lists, and dicts with str keys. Throws
/// Error(kWrongType) for anything else.
nlohmann::ordered_json to_json(const Value& value);
Value from_json(const nlohmann::ordered_json& json);

/// Throws Error(kNotFound) for a file that is not there, Error(kDecode) for one that is no JSON.
nlohmann::ordered_json read_json(const std::filesystem::path& file);
/// Whole and synced, or not at all. Throws Error(kUnavailable).
void write_json(const std::filesystem::path& file, const nlohmann::ordered_json& json);

}  // namespace tq::client
