// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "support/canonical.h"

namespace tq::test {

/// The value that a canonical JSON names: the way back from canonical(), for data that Python made.
/// Throws std::invalid_argument for what has no C++ value of its own (`$object`, `$npscalar`, ...).
Value from_canonical(const Json& json);

/// The tensor of `{"$tensor": ...}`; throws std::invalid_argument for anything else.
Tensor tensor_from_canonical(const Json& json);

std::string from_base64(std::string_view text);

}  // namespace tq::test
