// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/out_message.h"
#include "transfer_queue/slice.h"

namespace tq::wire {

using tq::Frames;
using tq::OutMessage;
using tq::Slice;

}  // namespace tq::wire
