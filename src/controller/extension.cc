// SPDX-License-Identifier: Apache-2.0
#include "controller/extension.h"

#include <fmt/format.h>

#include "transfer_queue/error.h"
#include "wire/pack.h"
#include "wire/unpack.h"

namespace tq::controller {
namespace {

// The request may be offered again, so its body stays as it is.
template <class T>
std::optional<T> read(const wire::Value& body, const char* name, const wire::Limits& limits) {
  const wire::Value* extension = body.find(wire::Extension::kKey);
  const wire::Value* found = extension != nullptr ? extension->find(name) : nullptr;
  if (found == nullptr) return std::nullopt;
  const wire::Path root{nullptr, "body", std::nullopt};
  const wire::Path parent{&root, wire::Extension::kKey, std::nullopt};
  wire::Value value = *found;
  std::optional<T> content;
  wire::unpack_field(value, wire::Path{&parent, name, std::nullopt}, limits, content);
  return content;
}

}  // namespace

std::optional<std::chrono::milliseconds> wait_of(const wire::Value& body,
                                                 const wire::Limits& limits) {
  const std::optional<int64_t> wait_ms = read<int64_t>(body, "wait_ms", limits);
  if (!wait_ms) return std::nullopt;
  if (*wait_ms < 0) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("body.x_tq.wait_ms is {}; it must not be negative", *wait_ms));
  }
  if (*wait_ms > limits.wait_ms_max) {
    throw Error(ErrorCode::kLimit, fmt::format("body.x_tq.wait_ms is {}; the limit is {}", *wait_ms,
                                               limits.wait_ms_max));
  }
  return std::chrono::milliseconds(*wait_ms);
}

std::optional<std::string> since_of(const wire::Value& body, const wire::Limits& limits) {
  return read<std::string>(body, "since", limits);
}

}  // namespace tq::controller
