// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace tq::cli {

/// Lets this process open as many files as the system allows it. Each connection of a client is
/// one, and clients up to 0.1.10 open a new one for each request; where no more may be opened, new
/// ones are refused.
void raise_file_limit() noexcept;

}  // namespace tq::cli
