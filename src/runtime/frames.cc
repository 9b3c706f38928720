// SPDX-License-Identifier: Apache-2.0
#include "runtime/frames.h"

namespace tq::runtime {
namespace {

// Below this a copy is cheaper than the two allocations of a frame that is sent where it lies.
constexpr size_t kCopyBelowBytes = 1024;

void release_owner(void*, void* hint) { delete static_cast<std::shared_ptr<const void>*>(hint); }

}  // namespace

zmq::message_t to_message(wire::Slice frame) {
  if (frame.size < kCopyBelowBytes) return {frame.data, frame.size};
  auto* owner = new std::shared_ptr<const void>(std::move(frame.owner));
  // libzmq only reads from it; its interface has no const.
  return {const_cast<std::byte*>(frame.data), frame.size, release_owner, owner};
}

wire::Slice to_slice(zmq::message_t message) {
  auto owner = std::make_shared<zmq::message_t>(std::move(message));
  return {static_cast<const std::byte*>(owner->data()), owner->size(), owner};
}

}  // namespace tq::runtime
