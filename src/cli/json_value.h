// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "transfer_queue/value.h"

/// JSON that a person types or reads, for values of fields and tags.
namespace tq::cli {

using Json = nlohmann::ordered_json;

/// Throws Error(kInvalidArgument): "WHAT is no JSON: ...".
Json parse_json(const std::string& text, const std::string& what);

Value to_value(const Json& json);

/// What JSON has no form for becomes an object with one key that tells: {"$bytes": base64},
/// {"$pickle": base64}, {"$object": "module.name"}; a tensor is {"dtype", "shape", "data"} with
/// nested lists. Numbers that are none become "nan", "inf", "-inf".
Json to_json(const Value& value);
Json to_json(const Tensor& tensor);

/// Indented, with a line's end; what is no UTF-8 is replaced.
std::string json_text(const Json& json);

}  // namespace tq::cli
