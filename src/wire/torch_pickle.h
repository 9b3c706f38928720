// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "wire/limits.h"
#include "wire/value.h"

namespace tq::wire {

/// Replaces what torch pickles for a tensor (`torch._utils._rebuild_tensor_v2` on a storage that is
/// itself bytes of torch.save's old format) by a Tensor, anywhere inside `v`. Reads bytes only.
/// Throws Error(kDecode) for a tensor whose parts do not fit each other.
Value with_torch_tensors(Value v, const Limits& limits);

}  // namespace tq::wire
