// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/types.h>

#include <vector>

#include "transfer_queue/column.h"

/// libtorch tensors in and out of batches; the only public header that knows libtorch (CMake target
/// TransferQueue::torch). All functions are thread-safe and, but for copies from a device, do not
/// block.
namespace tq {

/// A tensor as the wire knows it, of any shape: one row of a sample, or with a first dimension of
/// rows a dense column. Memory is shared and kept alive where the tensor is contiguous and on the
/// host; otherwise it is copied first, as Python's clients do. Do not write into a tensor that was
/// put until the put returned. Throws Error(kUnsupported) for sparse and quantized tensors and
/// dtypes that the protocol has no name for.
Tensor from_torch(const at::Tensor& tensor);

/// The same memory as a libtorch tensor on the host; it lives as long as the result does. The
/// result must not be written to when the memory is shared with others (a received frame is not).
at::Tensor to_torch(const Tensor& tensor);

/// A dense column of tensor [N, ...]. Throws Error(kInvalidArgument) for a 0-d tensor.
Column to_column(const at::Tensor& tensor);
/// A column of N rows of different shapes.
Column to_column(const std::vector<at::Tensor>& rows);

/// A column of like rows as one tensor [N, ...]; gathers where the rows lie apart. Throws as
/// Column::to_dense does.
at::Tensor to_torch(const Column& column);

/// Row i of a column of tensors, without a copy.
at::Tensor row_to_torch(const Column& column, size_t i);

/// What a jagged column is in libtorch's C++ API, which has no type for it: all rows one after the
/// other, and N + 1 int64 offsets, in elements.
struct TorchJagged {
  at::Tensor values;
  at::Tensor offsets;
};
TorchJagged to_torch_jagged(const Column& column);

}  // namespace tq
