// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

#include "controller/state.h"
#include "runtime/actor.h"
#include "transfer_queue/error.h"
#include "wire/messages.h"

namespace tq::controller {

/// What a handler may know of a request besides its typed body.
struct Call {
  const wire::Envelope& request;  // its body is unpacked already; x_tq stands in it still
  runtime::TimePoint received_at;
  runtime::TimePoint now;
};

/// One handler a message. It answers, lets the request wait, or throws Error with nothing changed;
/// which reply an Error becomes is error_reply.h's business.
runtime::Outcome handle(State& state, const Call& call, wire::Handshake message);
runtime::Outcome handle(State& state, const Call& call, wire::GetMeta message);
runtime::Outcome handle(State& state, const Call& call, wire::GetPartitionMeta message);
runtime::Outcome handle(State& state, const Call& call, wire::SetCustomMeta message);
runtime::Outcome handle(State& state, const Call& call, wire::MarkClearing message);
runtime::Outcome handle(State& state, const Call& call, wire::ClearMeta message);
runtime::Outcome handle(State& state, const Call& call, wire::ClearPartition message);
runtime::Outcome handle(State& state, const Call& call, wire::GetConsumption message);
runtime::Outcome handle(State& state, const Call& call, wire::ResetConsumption message);
runtime::Outcome handle(State& state, const Call& call, wire::GetProduction message);
runtime::Outcome handle(State& state, const Call& call, wire::GetListPartitions message);
runtime::Outcome handle(State& state, const Call& call, wire::NotifyDataUpdate message);
runtime::Outcome handle(State& state, const Call& call, wire::KvRetrieveMeta message);
runtime::Outcome handle(State& state, const Call& call, wire::KvRetrieveKeys message);
runtime::Outcome handle(State& state, const Call& call, wire::KvList message);
runtime::Outcome handle(State& state, const Call& call, wire::SaveControllerCheckpoint message);
runtime::Outcome handle(State& state, const Call& call, wire::LoadControllerCheckpoint message);
runtime::Outcome handle(State& state, const Call& call, wire::GetPartitionSnapshot message);
runtime::Outcome handle(State& state, const Call& call, wire::RegisterSampler message);

/// GET_META in mode "fetch" (fetch.cc); the other modes are in get_meta.cc.
runtime::Outcome fetch(State& state, const Call& call, const wire::GetMeta& message);

/// KV_LIST of what changed since a revision (kv_changes.cc).
runtime::Outcome list_changes(State& state, const Call& call, const wire::KvList& message,
                              const std::string& since);
/// The keys of a partition with their tags.
wire::KeyTags listing_of(const Partition& partition);
wire::Value tag_of(const Partition& partition, int64_t index);
/// An int64 tensor of one dimension.
wire::Tensor index_tensor(const wire::Indexes& indexes);

template <class Message>
runtime::Reply reply(const State& state, const Call& call, const Message& message) {
  return runtime::make_reply(state.id, call.request, message);
}

/// The same, of a request that was about so many samples.
inline runtime::Reply with_samples(runtime::Reply reply, size_t samples) {
  reply.samples = samples;
  return reply;
}

template <class... Args>
[[noreturn]] void fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace tq::controller
