// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include "transfer_queue/value.h"

namespace tq::cli {

/// A number; "nan", "inf" or "-inf" where JSON has none.
nlohmann::ordered_json number_json(double v);

/// Element `index` (row-major) of a tensor as a number, a bool, a pair [real, imaginary], or "nan",
/// "inf",
/// "-inf". Requires index < element_count(shape).
nlohmann::ordered_json element_of(const Tensor& tensor, size_t index);

}  // namespace tq::cli
