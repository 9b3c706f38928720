// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "actors/checkpoint_fixture.h"
#include "actors/storage_fixture.h"
#include "ssd/leftovers.h"

namespace tq::test {

/// A unit's configuration whose rows of `threshold_bytes` or more lie below the folder.
inline storage::StorageConfig on_ssd(const CheckpointFolder& folder, uint64_t threshold_bytes) {
  storage::StorageConfig config;
  config.checkpoint_root = folder.root();
  config.ssd = {folder.path() / "ssd", threshold_bytes};
  return config;
}

inline runtime::Outcome begin_frames(storage::StorageUnit& unit, const wire::Frames& frames) {
  runtime::Request request{wire::decode(frames, wire::Limits{}).value(),
                           std::chrono::steady_clock::now()};
  return unit.handle(request, request.received_at);
}
template <class Message>
runtime::Outcome begin(storage::StorageUnit& unit, const Message& message) {
  return begin_frames(unit,
                      wire::Frames(wire::pack_request("TQ_STORAGE_test", unit.id(), message)));
}

/// What the loop does: the request, its job if it is one, and the chores that came of it.
template <class Message>
Answer ask(storage::StorageUnit& unit, const Message& message) {
  Answer answer = decoded(finish(begin(unit, message)).frames);
  if (const auto chores = unit.take_chores()) chores();
  return answer;
}
inline Answer ask_put(storage::StorageUnit& unit, wire::Indexes indexes, wire::Map columns) {
  return ask(unit, wire::PutData{std::move(indexes), std::move(columns), {}});
}
inline Answer ask_get(storage::StorageUnit& unit, wire::Names fields, wire::Indexes indexes) {
  return ask(unit, wire::GetData{std::move(fields), std::move(indexes)});
}
inline Answer ask_clear(storage::StorageUnit& unit, wire::Indexes indexes) {
  return ask(unit, wire::ClearData{std::move(indexes)});
}

inline bool waits(const runtime::Outcome& outcome) {
  return std::holds_alternative<runtime::Job>(outcome);
}

/// A number of METRICS_RESPONSE.
inline int64_t told(storage::StorageUnit& unit, const std::string& name) {
  const Answer answer = ask(unit, wire::GetMetrics{});
  return *answer.envelope.body.find(name)->get_if<int64_t>();
}

/// Files with rows, of all units below the folder.
inline std::vector<std::filesystem::path> segments(const CheckpointFolder& folder) {
  std::vector<std::filesystem::path> found;
  if (!std::filesystem::exists(folder.path() / "ssd")) return found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path() / "ssd")) {
    if (entry.path().extension() == ssd::kSegmentEnding) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

inline wire::Tensor bytes_tensor(size_t bytes, char first = 0) {
  return {wire::DType::uint8, {static_cast<int64_t>(bytes)}, make_frame(bytes, first).slice};
}

}  // namespace tq::test
