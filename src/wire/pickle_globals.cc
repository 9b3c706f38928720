// SPDX-License-Identifier: Apache-2.0
#include "wire/dtype.h"
#include "wire/pickle_machine.h"

namespace tq::wire {
namespace {

struct Name {
  std::string_view module;
  std::string_view name;
};

constexpr Name kAllowed[] = {
    {"transfer_queue.metadata", "BatchMeta"},
    {"transfer_queue.metadata", "KVBatchMeta"},
    {"transfer_queue.utils.serial_utils", "decode"},
    {"numpy", "dtype"},
    {"numpy", "ndarray"},
    {"numpy", "frombuffer"},
    {"numpy.core.numeric", "_frombuffer"},
    {"numpy._core.numeric", "_frombuffer"},
    {"numpy.core.multiarray", "scalar"},
    {"numpy._core.multiarray", "scalar"},
    {"numpy.core.multiarray", "_reconstruct"},
    {"numpy._core.multiarray", "_reconstruct"},
    {"torch", "Size"},
    {"torch._utils", "_rebuild_tensor_v2"},
    {"torch._utils", "_rebuild_tensor_v3"},
    {"torch.storage", "_load_from_bytes"},
    {"torch.storage", "UntypedStorage"},
    {"torch", "FloatStorage"},
    {"torch", "DoubleStorage"},
    {"torch", "HalfStorage"},
    {"torch", "BFloat16Storage"},
    {"torch", "LongStorage"},
    {"torch", "IntStorage"},
    {"torch", "ShortStorage"},
    {"torch", "CharStorage"},
    {"torch", "ByteStorage"},
    {"torch", "BoolStorage"},
    {"torch", "ComplexFloatStorage"},
    {"torch", "ComplexDoubleStorage"},
    {"collections", "OrderedDict"},
    {"builtins", "complex"},
    {"builtins", "set"},
    {"builtins", "frozenset"},
    {"builtins", "bytearray"},
    {"_codecs", "encode"},
};

}  // namespace

bool is_allowed_global(std::string_view module, std::string_view name) noexcept {
  if (module == "torch" && dtype_from_name(name)) return true;
  for (const Name& allowed : kAllowed) {
    if (allowed.module == module && allowed.name == name) return true;
  }
  return false;
}

}  // namespace tq::wire
