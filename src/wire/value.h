// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "transfer_queue/value.h"
#include "wire/dtype.h"
#include "wire/slice.h"

// The values of a message are the values of the public interface.
namespace tq::wire {

using tq::Array;
using tq::BigInt;
using tq::Bytes;
using tq::element_count;
using tq::Map;
using tq::NdArray;
using tq::NestedTensor;
using tq::Opaque;
using tq::payload_bytes;
using tq::PyObject;
using tq::Set;
using tq::Shape;
using tq::SurrogateStr;
using tq::Tensor;
using tq::Tuple;
using tq::Value;

}  // namespace tq::wire
