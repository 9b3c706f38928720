// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "transfer_queue/column.h"

namespace tq::cli {

/// A small column of every kind and dtype that the protocol knows, by name.
std::vector<std::pair<std::string, Column>> selftest_columns();

}  // namespace tq::cli
