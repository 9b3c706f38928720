// SPDX-License-Identifier: Apache-2.0
#include "controller/batch.h"
#include "controller/handlers/handlers.h"

namespace tq::controller {
namespace {

runtime::Outcome insert(State& state, const Call& call, const wire::GetMeta& message) {
  if (!message.batch_size || *message.batch_size < 0) {
    fail(ErrorCode::kInvalidArgument,
         "body.batch_size must be an int in mode insert, and not negative");
  }
  const auto count = static_cast<size_t>(*message.batch_size);
  state.ensure_can_register(message.partition_id, count);
  wire::Indexes samples = state.register_samples(message.partition_id, count, call.now);
  const Partition& partition = *state.partitions.find(message.partition_id);
  return reply(state, call,
               wire::GetMetaResponse{make_batch_meta(partition, std::move(samples),
                                                     *message.data_fields, Production::kNone)});
}

runtime::Outcome force_fetch(State& state, const Call& call, const wire::GetMeta& message) {
  const Partition* partition = state.partitions.find(message.partition_id);
  if (partition == nullptr) {
    fail(ErrorCode::kNotFound, "there is no partition '{}'", message.partition_id);
  }
  return reply(state, call,
               wire::GetMetaResponse{make_batch_meta(*partition, partition->indexes(),
                                                     *message.data_fields, Production::kAsKnown)});
}

}  // namespace

runtime::Outcome handle(State& state, const Call& call, wire::GetMeta message) {
  if (!message.data_fields) fail(ErrorCode::kInvalidArgument, "body.data_fields must be a list");
  if (message.data_fields->size() > state.config.limits.fields_max) {
    fail(ErrorCode::kLimit, "body.data_fields has {} names; the limit is {}",
         message.data_fields->size(), state.config.limits.fields_max);
  }
  if (message.mode == "insert") return insert(state, call, message);
  if (message.mode == "fetch") return fetch(state, call, message);
  if (message.mode == "force_fetch") return force_fetch(state, call, message);
  fail(ErrorCode::kInvalidArgument, "body.mode is '{}'; it must be insert, fetch or force_fetch",
       message.mode);
}

runtime::Outcome handle(State& state, const Call& call, wire::GetPartitionMeta message) {
  wire::GetPartitionMetaResponse response;
  if (const Partition* partition = state.partitions.find(message.partition_id)) {
    wire::Names fields;
    for (const Field& field : partition->fields()) fields.push_back(field.name);
    response.metadata =
        make_batch_meta(*partition, partition->indexes(), fields, Production::kAsKnown);
  }
  return reply(state, call, response);
}

}  // namespace tq::controller
