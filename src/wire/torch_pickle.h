// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "wire/limits.h"
#include "wire/node_budget.h"
#include "wire/value.h"

namespace tq::wire {

/// Replaces what torch pickles for a tensor (`torch._utils._rebuild_tensor_v2` on a storage that is
/// itself bytes of torch.save's old format) by a Tensor, anywhere inside `v`. Reads bytes only.
/// `pickle_bytes` is the size of the pickle that v came from: it bounds what its tensors may expand
/// to. Throws Error(kDecode) for a tensor whose parts do not fit each other or that is more than
/// bytes and strides (a conjugate view).
Value with_torch_tensors(Value v, size_t pickle_bytes, const Limits& limits, NodeBudget& budget);

}  // namespace tq::wire
