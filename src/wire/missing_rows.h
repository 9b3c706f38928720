// SPDX-License-Identifier: Apache-2.0
#pragma once

/// How an error of a storage unit says that rows are not there; its reader and its writer live in
/// different rooms.
namespace tq::wire {

/// Begins the message, since 0.1.11: a Python client then raises StorageKeyNotFoundError instead of
/// RuntimeError.
inline constexpr const char* kKeyNotFound = "[TQKeyNotFound] ";

/// Begins our units' reason where a field has no row at all, which upstream's do not mark either.
inline constexpr const char* kNoField = "there is no field '";

}  // namespace tq::wire
