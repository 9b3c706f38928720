// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace tq::wire {

/// The list of messages (wire/messages.h) as Markdown tables: type, and each body key with its
/// type; a `?` marks a key that may be left out. docs/protocol.md holds this text, and a test
/// compares.
std::string describe_messages();

}  // namespace tq::wire
