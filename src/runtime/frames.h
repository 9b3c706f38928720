// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <zmq.hpp>

#include "wire/slice.h"

namespace tq::runtime {

/// A frame for sending. Payloads go out from where they lie: the slice's owner lives until libzmq
/// has written them; only small frames are copied.
zmq::message_t to_message(wire::Slice frame);

/// A received frame as a slice that owns it.
wire::Slice to_slice(zmq::message_t message);

}  // namespace tq::runtime
