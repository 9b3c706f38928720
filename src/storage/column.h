// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "storage/rows.h"
#include "wire/limits.h"

namespace tq::storage {

/// Cuts one column of a put into its rows. A column is
///   a tensor or numpy array whose first dimension is the rows (a row of a 1-d array is a scalar),
///   a nested tensor, a list, a TensorDict (cut entry by entry), or
///   a pickled one-dimensional numpy array of objects.
/// Payloads stay slices of their frames; small ones are copied out of them. Throws
/// Error(kInvalidArgument) when the column has another number of rows than `count`,
/// Error(kWrongType) when it is of a kind that has no rows; both name the field.
std::unique_ptr<Rows> cut_column(std::string_view field, wire::Value column, size_t count,
                                 const wire::Limits& limits);

}  // namespace tq::storage
