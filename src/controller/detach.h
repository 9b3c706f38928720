// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "wire/value.h"

namespace tq::controller {

/// The same value with payloads of its own. For small values that are kept, such as tags: a payload
/// of twenty bytes would otherwise keep alive the whole message that it came in.
wire::Value detach(const wire::Value& value);

}  // namespace tq::controller
