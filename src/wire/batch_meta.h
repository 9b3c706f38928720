// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "transfer_queue/metadata.h"
#include "wire/limits.h"
#include "wire/pickle_writer.h"
#include "wire/value.h"

namespace tq::wire {

using tq::BatchMeta;
using tq::FieldSchema;

/// The pickle of a BatchMeta as all releases of Python TransferQueue load it: all ten slots, in
/// their order. The bytes are the payload of an ext 1.
std::string pickle_batch_meta(const BatchMeta& meta);

/// The BatchMeta in a reply, Python's or ours: an ext 1 with its pickle, or (in a message that was
/// pickled whole) the object. Names that are not known stay inert. Throws Error(kDecode).
BatchMeta read_batch_meta(const Value& v, const Limits& limits);

}  // namespace tq::wire
