// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

namespace tq::wire {

/// Every bound on what a peer may make a node do, checked before memory is taken. Each comment says
/// which attack or accident the bound stops; the defaults lie far above what trainers send.
struct Limits {
  /// Frames a message: an endless multipart fills memory with frame objects.
  size_t frames_max = size_t{4} << 20;
  /// Bytes of one frame: memory for what a peer announces is taken before its bytes come.
  size_t frame_bytes_max = size_t{64} << 30;
  /// Bytes of all frames of one message: many frames below the bound of one are as large.
  size_t message_bytes_max = size_t{64} << 30;
  /// Bytes of all messages that a node is receiving or has yet to handle, and of replies that are
  /// not written: many peers that each stay below the bound of one message.
  size_t in_flight_bytes_max = size_t{64} << 30;
  /// Open connections of a node: each takes a descriptor and memory, whether it speaks or not.
  size_t peers_max = 65536;
  /// Bytes of the msgpack header, or of a message pickled whole: a decoded tree is up to 40 times
  /// as large as its bytes.
  size_t header_bytes_max = size_t{512} << 20;
  /// Containers inside containers: unbounded nesting exhausts the stack of whoever walks the value.
  size_t depth_max = 128;
  /// Values in one message, pickled parts included: a pickle can name one list a thousand times and
  /// so grow exponentially when it is unfolded.
  size_t nodes_max = size_t{8} << 20;
  /// Values that each byte of a message may become: a pickle of 200 bytes can name one list so
  /// often that it unfolds to nodes_max, seconds of work and a gigabyte. Rows that share a dict
  /// need some.
  size_t nodes_per_byte_max = 64;
  /// Values that a message may become whatever its size, for small ones that share much.
  size_t nodes_free = 65536;
  /// Bytes of text that references to shared texts may unfold to: each reference is a copy. A text
  /// that came in once each is bound by header_bytes_max alone.
  size_t shared_text_bytes_max = size_t{192} << 20;
  /// Dimensions of a tensor: torch itself stops at 64.
  size_t dimensions_max = 64;
  /// Rows (global indexes, keys) a request names.
  size_t rows_max = size_t{16} << 20;
  /// Fields a request or partition has: each costs a bitmap and a schema.
  size_t fields_max = 65536;
  /// Bytes of a key, field, partition or task name: names are kept as long as what they name.
  size_t name_bytes_max = size_t{64} << 10;
  /// Partitions of a controller, tasks of a partition: each costs memory until it is cleared.
  size_t partitions_max = size_t{1} << 20;
  size_t tasks_max = 65536;
  /// Bytes of keys that are gone, a partition that is watched: they outlive their samples.
  size_t removed_keys_bytes_max = size_t{1} << 20;
  /// Samplers that clients choose by name and arguments, a controller: each keeps batches.
  size_t samplers_max = 64;
  /// Requests that wait for data at one node: each is looked at again whenever data comes.
  size_t waiting_max = 65536;
  /// How long a client may let one request wait: one of a peer that hangs keeps its place among the
  /// waiting ones until then.
  int64_t wait_ms_max = 3'600'000;
  /// The largest global index: sparse bitmaps are cheap, but indexes must fit a torch int64 tensor
  /// and Python's own tables.
  int64_t global_index_max = (int64_t{1} << 40) - 1;
};

/// One of them, for flags, the environment and `tq limits`.
struct LimitEntry {
  std::string_view name;  // the member's
  std::variant<size_t Limits::*, int64_t Limits::*> member;
  std::string_view what;

  uint64_t get(const Limits& limits) const;
  /// Throws Error(kInvalidArgument) for 0 and for what no memory could hold.
  void set(Limits& limits, uint64_t value) const;
};

/// All of them, in the order above.
std::span<const LimitEntry> limit_entries();

}  // namespace tq::wire
