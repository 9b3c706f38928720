// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "transfer_queue/value.h"

namespace tq::cli {

/// One --field of `tq kv put`: NAME=TEXT, NAME:=JSON, NAME=@FILE.npy (a tensor) or NAME=@FILE.json.
/// Throws Error(kInvalidArgument) or, for a file that cannot be read, Error(kNotFound).
std::pair<std::string, Value> parse_field(const std::string& argument);

/// Writes one value below OUT/KEY/: FIELD.npy for tensors and arrays, FIELD.json for anything else.
/// Characters of key and field that do not belong into a file name are written as %XX. Returns the
/// path. Throws Error(kUnavailable).
std::filesystem::path write_field(const std::filesystem::path& out, const std::string& key,
                                  const std::string& field, const Value& value);

/// "int64 [3]", "str", "dict": what a table says of a value.
std::string type_text(const Value& value);
/// The value itself on one short line.
std::string preview(const Value& value, size_t width);

}  // namespace tq::cli
