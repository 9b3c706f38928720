// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "wire/value.h"

namespace tq::storage {

/// The pickle of a numpy scalar, which is what a row of a one-dimensional array is in Python.
/// `dtype` is numpy's dtype string, `bytes` the element. Loads in numpy 1 and 2 without a warning.
std::string numpy_scalar_pickle(std::string_view dtype, std::string_view bytes);

/// The items of a one-dimensional numpy array of objects as the pickle reader gives it; nothing
/// when the value is anything else.
std::optional<wire::Array> object_array_items(const wire::Value& value);

}  // namespace tq::storage
