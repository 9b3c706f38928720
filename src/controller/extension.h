// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "wire/limits.h"
#include "wire/value.h"

/// What a request says under x_tq besides its sampler (docs/protocol.md); nothing where it says
/// nothing. They throw Error, naming the key, for what cannot be meant.
namespace tq::controller {

/// How long the request may wait for its answer.
std::optional<std::chrono::milliseconds> wait_of(const wire::Value& body,
                                                 const wire::Limits& limits);
/// The revision that a watcher of a listing knows; empty when it knows none.
std::optional<std::string> since_of(const wire::Value& body, const wire::Limits& limits);

}  // namespace tq::controller
