// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "transfer_queue/dtype.h"

namespace tq::wire {

using tq::DType;
using tq::dtype_from_name;
using tq::dtype_name;
using tq::dtype_size;

}  // namespace tq::wire
