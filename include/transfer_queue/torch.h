// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/types.h>

#include <cstddef>
#include <vector>

#include "transfer_queue/column.h"

/// libtorch tensors in and out of columns: the only public header that knows libtorch. Link
/// TransferQueue::torch, which brings the one libtorch that it was built against.
///
/// Threads: all functions are thread-safe, as long as nobody writes into the tensors meanwhile.
/// Blocking: they copy where this page says so, else they only share memory; a copy from a device
/// waits for that device. Errors: tq::Error; nothing of libtorch's own is thrown.
///
/// On the way in, memory is shared where the tensor is contiguous and on the host, and copied where
/// it is not, as Python's clients do: from a GPU, of a transposed or strided view, of a lazy
/// conjugate. Gradients are left behind. A tensor whose memory is shared must not be written to
/// until the put returned; of an asynchronous put, until its future is ready.
///
/// On the way out, memory is shared with the batch that was received, and each tensor keeps its
/// part alive by itself. Do not write into it in place if anything else still uses that batch:
/// clone() first.
namespace tq {

/// A tensor of any shape as the wire knows it: one row of a sample or, with a first dimension of
/// rows, a dense column. Throws
///   kInvalidArgument  undefined; on a device where it has no data ("meta") or from which it cannot
///                     be copied; nested (that is a column: to_column)
///   kUnsupported      sparse, quantized, of another layout than strided; a dtype that the protocol
///                     has no name for. The sentence says what to call first.
Tensor from_torch(const at::Tensor& tensor);

/// The same tensor in libtorch, on the host, without a gradient. Shares the memory unless it is
/// misaligned for its dtype, which a row inside a received message can be: libtorch wants aligned
/// memory, so that one is copied. Throws
///   kInvalidArgument  the bytes do not match dtype and shape
///   kUnsupported      this libtorch is too old for the dtype; names both
at::Tensor to_torch(const Tensor& tensor);

/// A column of the N rows of a tensor [N, ...]: dense, without a copy of its own. A nested tensor
/// gives a column of its N tensors. Throws as from_torch does; kInvalidArgument for a 0-d tensor,
/// which has no rows.
Column to_column(const at::Tensor& tensor);

/// A column of N rows, each of any shape: row i is rows[i]. Throws as from_torch does, naming the
/// row.
Column rows_to_column(const std::vector<at::Tensor>& rows);

/// A column of N like rows as one tensor [N, ...]. Copies only if the rows lie apart. Throws
/// kInvalidArgument when the rows are not tensors of one dtype and shape, and as to_torch(Tensor).
at::Tensor to_torch(const Column& column);

/// Row i of a column of tensors, of the row's own shape. Requires i < column.size(). Throws
/// kWrongType for a column of values, and as to_torch(Tensor).
at::Tensor row_to_torch(const Column& column, size_t i);

/// N rows that differ in their first dimension only, one after the other: what
/// torch.nested.nested_tensor_from_jagged takes in Python. libtorch's C++ API has no type for it.
struct TorchJagged {
  at::Tensor values;   ///< [sum of the rows' lengths, ...]
  at::Tensor offsets;  ///< int64 [N + 1] from 0: row i is values[offsets[i] : offsets[i + 1]]
};

/// A column of tensors as values and offsets, on the host. Copies only if the rows lie apart.
/// Without rows, values is an empty float32. Throws
///   kInvalidArgument  rows of different dtypes, of dimensions that differ after the first, or 0-d
///   kWrongType        a column of values
TorchJagged to_torch_jagged(const Column& column);

/// The column of such rows; the values are shared or copied as from_torch does. Offsets may be of
/// any integer dtype and on any device. Throws kInvalidArgument when they do not ascend from 0 to
/// the length of the values, and as from_torch does.
Column jagged_to_column(const TorchJagged& jagged);

}  // namespace tq
