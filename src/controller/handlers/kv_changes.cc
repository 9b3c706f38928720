// SPDX-License-Identifier: Apache-2.0
// KV_LIST for those who watch a partition: what changed since the revision that they know.
#include <algorithm>
#include <utility>

#include "controller/extension.h"
#include "controller/handlers/handlers.h"

namespace tq::controller {
namespace {

/// An answer, as far as it does not stand in `partition_info`.
struct Changes {
  std::string revision;  // empty: there is no such partition
  bool complete = true;
  wire::KeyTags changed = {};
  std::vector<std::string> removed = {};
};

Changes changes_since(const Partition& partition, const ChangeLog& log, uint64_t since) {
  Changes changes{log.revision(), false};
  const KeyTable& keys = partition.keys();
  log.for_each_changed(since, [&](int64_t index) {
    const std::optional<std::string_view> key = keys.key_of(index);
    if (!key || keys.find(*key) != index) return;  // the key stands for a later sample
    changes.changed.emplace_back(*key, tag_of(partition, index));
  });
  log.for_each_removed(since, [&](const std::string& key) {
    if (!keys.find(key)) changes.removed.push_back(key);
  });
  std::sort(changes.removed.begin(), changes.removed.end());
  changes.removed.erase(std::unique(changes.removed.begin(), changes.removed.end()),
                        changes.removed.end());
  return changes;
}

runtime::Reply answer(const State& state, const Call& call, const std::string& partition_id,
                      Changes changes) {
  wire::KvListResponse response;
  const bool exists = !changes.revision.empty();
  if (exists) response.partition_info.emplace_back(partition_id, std::move(changes.changed));
  if (!exists) response.message = fmt::format("there is no partition '{}'", partition_id);
  wire::Map more = {{"revision", std::move(changes.revision)},
                    {"complete", changes.complete},
                    {"removed", wire::Array(changes.removed.begin(), changes.removed.end())}};
  return {wire::pack_reply(state.id, call.request, response, std::move(more)), {}};
}

}  // namespace

wire::Value tag_of(const Partition& partition, int64_t index) {
  const wire::Value* tag = partition.find_tag(index);
  return tag != nullptr ? *tag : wire::Value(wire::Map());
}

wire::KeyTags listing_of(const Partition& partition) {
  wire::KeyTags listing;
  listing.reserve(partition.keys().size());
  partition.keys().for_each([&](std::string_view key, int64_t index) {
    listing.emplace_back(key, tag_of(partition, index));
  });
  return listing;
}

// Whoever knows nothing yet waits for a partition that is not there, like a fetch; whoever knows
// one that is gone hears of it at once.
runtime::Outcome list_changes(State& state, const Call& call, const wire::KvList& message,
                              const std::string& since) {
  if (!message.partition_id) {
    fail(ErrorCode::kInvalidArgument,
         "body.partition_id must name one partition where body.x_tq.since is given");
  }
  const auto wait = wait_of(call.request.body, state.config.limits);
  const runtime::TimePoint deadline =
      call.received_at + wait.value_or(std::chrono::milliseconds(0));
  const auto wait_or = [&](Changes changes) -> runtime::Outcome {
    if (call.now < deadline) {
      return runtime::Wait{state.wait_for_listing(*message.partition_id), deadline};
    }
    return answer(state, call, *message.partition_id, std::move(changes));
  };
  Partition* partition = state.partitions.find(*message.partition_id);
  if (partition == nullptr) {
    if (since.empty()) return wait_or({});
    return answer(state, call, *message.partition_id, {});
  }
  const ChangeLog& log = partition->changes(state.config.limits.removed_keys_bytes_max);
  const std::optional<uint64_t> known = log.find(since);
  if (!known) {
    return answer(state, call, partition->id(), {log.revision(), true, listing_of(*partition)});
  }
  Changes changes = changes_since(*partition, log, *known);
  const bool nothing = changes.changed.empty() && changes.removed.empty();
  if (nothing) return wait_or(std::move(changes));
  return answer(state, call, partition->id(), std::move(changes));
}

}  // namespace tq::controller
