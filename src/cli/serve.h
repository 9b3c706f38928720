// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "cli/signals.h"
#include "metrics/exporter.h"

namespace tq::cli {

/// From the moment when clients can find the nodes until they shall end: prints "ready: " and
/// `what`, says the same to /readyz and to a service manager, and waits. `exporter` may be null.
/// Blocks.
void serve_until_stopped(std::string_view what, metrics::Exporter* exporter,
                         const StopSettings& stop);

}  // namespace tq::cli
