// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "checkpoint/file.h"
#include "controller/error_reply.h"
#include "controller/handlers/handlers.h"
#include "controller/state_file.h"
#include "wire/checkpoint_extension.h"

namespace tq::controller {
namespace {

using checkpoint::Kind;

std::optional<std::string> expected_checksum(const State& state, const Call& call) {
  const auto order = wire::CheckpointOrder::of(call.request.body, state.config.limits);
  if (!order || order->files.empty()) return std::nullopt;
  return order->files[0].checksum;
}

runtime::Reply failure(const State& state, const wire::Envelope& request, const Error& error) {
  return error_reply(state.id, request, std::nullopt, error);
}

}  // namespace

// Encoding stops the loop for a moment, writing does not (docs/checkpoints.md, "What it costs").
runtime::Outcome handle(State& state, const Call& call, wire::SaveControllerCheckpoint message) {
  checkpoint::require(state.config.checkpoint_root, message.path);
  auto sections = std::make_shared<const StateSections>(encode_state(state, call.now));
  state.jobs.begin();
  auto work = [root = state.config.checkpoint_root, path = message.path, sections] {
    return checkpoint::save_file(*root, path, Kind::kController, [&](checkpoint::Writer& writer) {
      for (const auto& [tag, section] : *sections) writer.section(tag, section);
    });
  };
  auto done = [&state, request = call.request](Result<checkpoint::Summary> saved) {
    state.jobs.end();
    if (!saved) return failure(state, request, saved.error());
    const wire::CheckpointReceipt receipt{static_cast<int64_t>(saved->size_bytes),
                                          saved->checksum_text()};
    return runtime::Reply{
        wire::pack_reply(state.id, request, wire::SaveControllerCheckpointResponse{true, {}},
                         receipt.to_extension()),
        {}};
  };
  return checkpoint::make_job<checkpoint::Summary>(std::move(work), std::move(done));
}

runtime::Outcome handle(State& state, const Call& call, wire::LoadControllerCheckpoint message) {
  checkpoint::require(state.config.checkpoint_root, message.path);
  auto expected = expected_checksum(state, call);
  state.jobs.begin();
  auto work = [config = state.config, path = message.path, expected = std::move(expected),
               now = call.now] {
    std::optional<SavedState> loaded;
    checkpoint::load_file(
        *config.checkpoint_root, path, Kind::kController, config.limits, expected,
        [&](checkpoint::Reader& reader) { loaded = read_state(reader, config, now); });
    return std::move(*loaded);
  };
  auto done = [&state, request = call.request](Result<SavedState> loaded) {
    state.jobs.end();
    try {
      state.restore(std::move(loaded).value());
    } catch (const Error& error) {
      return failure(state, request, error);
    }
    return runtime::make_reply(state.id, request, wire::LoadControllerCheckpointResponse{true, {}});
  };
  return checkpoint::make_job<SavedState>(std::move(work), std::move(done));
}

}  // namespace tq::controller
