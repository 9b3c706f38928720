// SPDX-License-Identifier: Apache-2.0
#include "transfer_queue/error.h"

namespace tq {

const char* python_name(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kDecode:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kLimit:
      return "ValueError";
    case ErrorCode::kMissingKey:
    case ErrorCode::kNotFound:
      return "KeyError";
    case ErrorCode::kWrongType:
      return "TypeError";
    case ErrorCode::kCapacity:
      return "MemoryError";
    case ErrorCode::kTimeout:
      return "TimeoutError";
    case ErrorCode::kUnsupported:
      return "NotImplementedError";
    case ErrorCode::kUnavailable:
      return "ConnectionError";
    case ErrorCode::kInternal:
      return "RuntimeError";
  }
  return "RuntimeError";
}

}  // namespace tq
