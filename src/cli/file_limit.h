// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace tq::cli {

/// Lets this process open as many files as the system allows it. Each connection of a client is
/// one, and clients up to 0.1.10 open a new one for each request; libzmq ends the process when it
/// cannot open one that it needs for itself.
void raise_file_limit() noexcept;

}  // namespace tq::cli
