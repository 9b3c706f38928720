// SPDX-License-Identifier: Apache-2.0
// Waiting at the controller. One of ours keeps the request until there is something to say; one of
// Python's knows no such thing and is asked again and again, so that users see the same.
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <functional>

#include "client/client_impl.h"
#include "wire/encode.h"

namespace tq {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

void check_wait(milliseconds wait) {
  constexpr milliseconds kMax{wire::Limits{}.wait_ms_max};
  if (wait >= milliseconds::zero() && wait <= kMax) return;
  throw Error(
      ErrorCode::kInvalidArgument,
      fmt::format("wait is {} ms; it must lie between 0 and {}", wait.count(), kMax.count()));
}

/// The pauses between questions to a controller of Python's: short at first, for what is about to
/// come, then long enough to leave it its time for others.
class Pauses {
 public:
  Pauses(const runtime::Wakeup& stopping, Clock::time_point until)
      : stopping_(stopping), until_(until) {}

  /// Sleeps before the next question; false when there is to be none. Throws when the client ends.
  bool next() {
    const auto left = std::chrono::ceil<milliseconds>(until_ - Clock::now());
    if (left <= milliseconds::zero()) return false;
    pollfd item{stopping_.descriptor(), POLLIN, 0};
    ::poll(&item, 1, static_cast<int>(std::min(left, pause_).count()));
    if (stopping_.is_notified()) {
      throw Error(ErrorCode::kUnavailable, "the client ends, so it no longer waits");
    }
    pause_ = std::min(2 * pause_, milliseconds(100));
    return true;
  }

 private:
  const runtime::Wakeup& stopping_;
  const Clock::time_point until_;
  milliseconds pause_{5};
};

[[noreturn]] void throw_no_changes() {
  throw Error(ErrorCode::kDecode,
              "the controller's KV_LIST_RESPONSE does not say under x_tq what changed");
}

template <class T>
const T& entry(const Value& body, const char* name) {
  const Value* extension = body.find(wire::Extension::kKey);
  const Value* found = extension != nullptr ? extension->find(name) : nullptr;
  const T* content = found != nullptr ? found->get_if<T>() : nullptr;
  if (content == nullptr) throw_no_changes();
  return *content;
}

KVChanges read_changes(wire::Envelope reply) {
  KVChanges changes;
  changes.revision = entry<std::string>(reply.body, "revision");
  changes.complete = entry<bool>(reply.body, "complete");
  for (const Value& key : entry<Array>(reply.body, "removed")) {
    const std::string* text = key.get_if<std::string>();
    if (text == nullptr) throw_no_changes();
    changes.removed.push_back(*text);
  }
  auto listed = wire::unpack_body<wire::KvListResponse>(reply.body, wire::Limits{});
  if (!listed.partition_info.empty()) {
    changes.changed = std::move(listed.partition_info[0].second);
  }
  return changes;
}

// Stands for a listing of a controller that has no revisions.
std::string digest_of(const std::vector<std::pair<std::string, Value>>& listing) {
  uint64_t digest = listing.size();
  const auto mix = [&](std::string_view bytes) {
    constexpr uint64_t kOdd = 0x9E3779B97F4A7C15;
    digest = (digest ^ std::hash<std::string_view>()(bytes)) * kOdd;
    digest ^= digest >> 32;
  };
  for (const auto& [key, tags] : listing) {
    mix(key);
    for (const Slice& frame : wire::encode_value(tags)) mix(frame.view());
  }
  return fmt::format("listing.{:016x}", digest);
}

// A controller that does not poll waits by itself and then says so; one that is silent does not
// answer at all.
BatchMeta fetch_or_nothing(client::ControllerClient& controller, const wire::GetMeta& message,
                           const client::Ask& ask) {
  try {
    return controller.ask<wire::GetMetaResponse>(message, ask).metadata;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kTimeout || Clock::now() >= ask.deadline) throw;
    return {};
  }
}

}  // namespace

BatchMeta TransferQueueClient::Impl::fetch_waiting(const wire::GetMeta& message, client::Ask ask,
                                                   milliseconds wait) {
  check_wait(wait);
  const Clock::time_point until = Clock::now() + wait;
  ask.deadline = until + options.deadline;
  ask.stop = &stopping;
  ask.reach_within = options.deadline;
  if (controller.is_ours()) {
    ask.extension.emplace_back("wait_ms", int64_t{wait.count()});
    return controller.ask<wire::GetMetaResponse>(message, ask).metadata;
  }
  Pauses pauses(stopping, until);
  BatchMeta meta = fetch_or_nothing(controller, message, ask);
  while (meta.size() == 0 && pauses.next()) meta = fetch_or_nothing(controller, message, ask);
  return meta;
}

KVChanges TransferQueueClient::Impl::compare_listings(const std::string& partition_id,
                                                      const std::string& since,
                                                      const client::Ask& ask,
                                                      manager::Deadline until) {
  Pauses pauses(stopping, until);
  KVChanges changes;
  do {
    auto listed = controller.ask<wire::KvListResponse>(wire::KvList{partition_id}, ask);
    changes = {};
    changes.complete = true;
    if (!listed.partition_info.empty()) {
      changes.changed = std::move(listed.partition_info[0].second);
      changes.revision = digest_of(changes.changed);
    }
    if (changes.revision != since) return changes;
  } while (pauses.next());
  changes.changed.clear();
  changes.complete = since.empty();
  return changes;
}

KVChanges TransferQueueClient::kv_list_changes(const std::string& partition_id,
                                               const std::string& since, milliseconds wait) {
  check_wait(wait);
  const Clock::time_point until = Clock::now() + wait;
  client::Ask ask{until + impl_->options.deadline};
  ask.stop = &impl_->stopping;
  ask.reach_within = impl_->options.deadline;
  if (!impl_->controller.is_ours()) {
    return impl_->compare_listings(partition_id, since, ask, until);
  }
  ask.extension = {{"since", since}, {"wait_ms", int64_t{wait.count()}}};
  return read_changes(
      impl_->controller.ask_for<wire::KvListResponse>(wire::KvList{partition_id}, ask));
}

}  // namespace tq
