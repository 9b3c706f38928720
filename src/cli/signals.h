// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace tq::cli {

/// Blocks SIGTERM and SIGINT for this thread and all that it starts, so that wait_for_stop() gets
/// them. Call before the first thread. Ignores SIGPIPE.
void block_stop_signals();

/// Waits for SIGTERM or SIGINT. Blocks; returns the signal.
int wait_for_stop();

/// Waits for one of them for up to `seconds`; whether it came.
bool stop_within(double seconds);

}  // namespace tq::cli
