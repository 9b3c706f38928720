// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "storage/store.h"
#include "wire/decode.h"
#include "wire/messages.h"
#include "wire/slice.h"

namespace tq::storage {

/// The frames of a GET_DATA_RESPONSE from `unit_id` with the rows that `get` asks for, in its
/// order:
/// {"data": {field: column}}. A column whose rows are small tensors of one dtype and shape is one
/// dense tensor; any other is a list of its rows as they were put, tensors as a frame each that is
/// the memory they lie in. Throws what Store::rows throws, and Error(kLimit) when indexes repeated
/// in the request would swell the reply.
wire::OutMessage get_reply(const Store& store, std::string_view unit_id,
                           const wire::Envelope& request, const wire::GetData& get,
                           const wire::Limits& limits);

}  // namespace tq::storage
