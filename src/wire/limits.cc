// SPDX-License-Identifier: Apache-2.0
#include "wire/limits.h"

#include <fmt/format.h>

#include <array>
#include <limits>

#include "transfer_queue/error.h"

namespace tq::wire {
namespace {

constexpr auto kEntries = std::to_array<LimitEntry>({
    {"frames_max", &Limits::frames_max, "frames of a message"},
    {"frame_bytes_max", &Limits::frame_bytes_max, "bytes of a frame"},
    {"message_bytes_max", &Limits::message_bytes_max, "bytes of a message, all frames"},
    {"in_flight_bytes_max", &Limits::in_flight_bytes_max,
     "bytes of a node's messages on their way in or out"},
    {"peers_max", &Limits::peers_max, "open connections of a node"},
    {"header_bytes_max", &Limits::header_bytes_max, "bytes of a msgpack header"},
    {"depth_max", &Limits::depth_max, "containers inside containers"},
    {"nodes_max", &Limits::nodes_max, "values in a message"},
    {"nodes_per_byte_max", &Limits::nodes_per_byte_max, "values for each byte of a message"},
    {"nodes_free", &Limits::nodes_free, "values whatever the message's bytes"},
    {"shared_text_bytes_max", &Limits::shared_text_bytes_max,
     "bytes that shared texts of a pickle unfold to"},
    {"dimensions_max", &Limits::dimensions_max, "dimensions of a tensor"},
    {"rows_max", &Limits::rows_max, "rows (samples, keys) of a request"},
    {"fields_max", &Limits::fields_max, "fields of a request or a partition"},
    {"name_bytes_max", &Limits::name_bytes_max, "bytes of a key, field, partition or task name"},
    {"partitions_max", &Limits::partitions_max, "partitions of a controller"},
    {"tasks_max", &Limits::tasks_max, "tasks of a partition"},
    {"removed_keys_bytes_max", &Limits::removed_keys_bytes_max,
     "bytes of removed keys that a watched partition remembers"},
    {"samplers_max", &Limits::samplers_max, "samplers of a controller that clients choose"},
    {"waiting_max", &Limits::waiting_max, "requests of a node that wait for data"},
    {"wait_ms_max", &Limits::wait_ms_max, "milliseconds that a client may let a request wait"},
    {"global_index_max", &Limits::global_index_max, "largest global index"},
});

// Of depth_max: values are walked by recursion, and a deeper one ends in a stack that is full.
constexpr uint64_t kDepthMost = 1024;

static_assert(sizeof(Limits) == kEntries.size() * sizeof(uint64_t), "a limit is not in the list");

}  // namespace

uint64_t LimitEntry::get(const Limits& limits) const {
  return std::visit([&](auto pointer) { return static_cast<uint64_t>(limits.*pointer); }, member);
}

void LimitEntry::set(Limits& limits, uint64_t value) const {
  const uint64_t most =
      name == "depth_max" ? kDepthMost : static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (value == 0 || value > most) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("limit {} must be from 1 to {}, got {}", name, most, value));
  }
  std::visit(
      [&](auto pointer) {
        limits.*pointer = static_cast<std::decay_t<decltype(limits.*pointer)>>(value);
      },
      member);
}

std::span<const LimitEntry> limit_entries() { return kEntries; }

}  // namespace tq::wire
