// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "wire/decode.h"

namespace tq::test {

using Json = nlohmann::ordered_json;

std::string base64(std::string_view bytes);

/// The canonical JSON of a decoded value, in the form of tests/peer/canonical.py, which says what
/// Python decoded. Pickled objects are read by the project's own reader; a name that it does not
/// know gives {"$opaque": ...}, which no recorded JSON has.
Json canonical(const wire::Value& value);
Json canonical(const wire::Envelope& envelope);

/// Whether two canonical JSONs say the same. Floats compare as numbers; of a callable only that it
/// is one is compared, for this side never looks inside.
bool same(const Json& expected, const Json& actual);

}  // namespace tq::test
