// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tq {

/// Bytes and what keeps them alive: today a received frame or a heap block, later a slab
/// shared with a client on the same host. Copying a Slice copies no byte. Immutable, so safe to
/// read from any thread as long as the Slice object itself is not assigned concurrently.
struct Slice {
  const std::byte* data = nullptr;    ///< the first byte
  size_t size = 0;                    ///< bytes
  std::shared_ptr<const void> owner;  ///< keeps them alive; null: the caller does

  /// Whether there are no bytes.
  bool empty() const noexcept { return size == 0; }
  /// The bytes as text, valid as long as the owner.
  std::string_view view() const noexcept { return {reinterpret_cast<const char*>(data), size}; }
  /// Part of these bytes, sharing the owner. Requires offset + count <= size.
  Slice sub(size_t offset, size_t count) const { return {data + offset, count, owner}; }

  /// A Slice that owns the given bytes.
  static Slice own(std::string bytes) {
    auto owner = std::make_shared<const std::string>(std::move(bytes));
    return {reinterpret_cast<const std::byte*>(owner->data()), owner->size(), owner};
  }
  /// A Slice of a fresh copy, for bytes whose present owner must not be pinned.
  static Slice copy_of(std::string_view bytes) { return own(std::string(bytes)); }
  /// Uninitialised memory to be filled once by the caller through the returned pointer.
  /// From 16 MiB on it comes from memory that earlier transfers left warm. Throws std::bad_alloc.
  static std::pair<Slice, std::byte*> allocate(size_t size);
};

/// The frames of one message without the identity: header first, then the buffers.
using Frames = std::vector<Slice>;

}  // namespace tq
