// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "interop/client_waiting.h"

namespace tq::test {

/// Commands of the driver of the C++ client about BatchMeta, KVBatchMeta and what the controller
/// knows of samples; nullptr where there is none of that name.
ClientCommand find_metadata_command(const std::string& name);

}  // namespace tq::test
