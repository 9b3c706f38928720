// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "runtime/atomic_file.h"

namespace tq::ssd {

/// In each unit's folder, locked as long as its process lives. Python's folders have none.
inline constexpr const char* kLockName = "lock";
inline constexpr const char* kSegmentEnding = ".seg";

/// A folder by its name in another one, following no link; none with errno set when that fails.
runtime::Descriptor open_folder(int parent, const std::string& name) noexcept;

/// Removes what a unit wrote into its folder, and the folder itself unless others put something
/// there.
void remove_unit(int run, const std::string& name, int unit) noexcept;

/// Removes the folders of units whose processes are gone, below the root of all runs. What is not
/// ours stays: Python's units, and what may not be removed.
void remove_leftovers(int root);

}  // namespace tq::ssd
