// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace tq::wire {

/// Bytes of one element of a numpy dtype as `str(dtype)` writes it: "float32", "<U2", ">f4",
/// "datetime64[ns]". Nothing for what np.dtype cannot read back from its text (structured dtypes)
/// or what is no plain data (objects): a client could not decode an array of it.
std::optional<size_t> numpy_item_size(std::string_view dtype) noexcept;

}  // namespace tq::wire
