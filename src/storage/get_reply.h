// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/field.h"
#include "wire/decode.h"
#include "wire/messages.h"
#include "wire/slice.h"

namespace tq::storage {

/// The rows of a field that a GET asks for, in its order; all in memory.
using RowSource = std::function<std::vector<RowView>(const std::string& field)>;

/// A field named twice is one entry of the reply, as in a Python dict.
wire::Names distinct(const wire::Names& names);

/// The frames of a GET_DATA_RESPONSE from `unit_id` with the rows that `get` asks for, in its
/// order:
/// {"data": {field: column}}. A column whose rows are small tensors of one dtype and shape is one
/// dense tensor; any other is a list of its rows as they were put, tensors as a frame each that is
/// the memory they lie in. Throws what `rows` throws, and Error(kLimit) when indexes repeated
/// in the request would swell the reply past what there is, `bytes_stored`.
wire::OutMessage get_reply(const RowSource& rows, size_t bytes_stored, std::string_view unit_id,
                           const wire::Envelope& request, const wire::Names& fields,
                           const wire::Limits& limits);

}  // namespace tq::storage
