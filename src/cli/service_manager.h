// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace tq::cli {

/// Tells the service manager that started this process, if it asks to be told (systemd's
/// Type=notify), that clients can find the nodes now. Without one, nothing happens.
void notify_ready() noexcept;

}  // namespace tq::cli
