// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ssd/segment.h"
#include "wire/limits.h"
#include "wire/value.h"

namespace tq::storage {

/// One row as it lies on an SSD: a checksum, the number and sizes of its frames, and the frames
/// that an encoder makes of it as a value. `row` are those frames.
wire::Frames make_record(const wire::Frames& row);

/// The row of a record, in fresh memory. Throws Error(kUnavailable) naming the file when it cannot
/// be read or is not what was written.
wire::Value read_record(const ssd::SegmentReader& reader, const ssd::Extent& extent,
                        const wire::Limits& limits);

}  // namespace tq::storage
