// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>

#include "client/async_threads.h"
#include "client/controller_client.h"
#include "manager/storage_manager.h"
#include "runtime/wakeup.h"
#include "transfer_queue/client.h"

namespace tq {

struct TransferQueueClient::Impl {
  Impl(Nodes nodes_in, ClientOptions options_in);

  manager::Deadline deadline() const { return std::chrono::steady_clock::now() + options.deadline; }
  /// Reports rows that are stored. Throws Error when the controller does not take the report.
  void notify(const wire::NotifyDataUpdate& message, manager::Deadline until);

  /// A fetch that waits at the controller, or asks one of Python's again and again.
  BatchMeta fetch_waiting(const wire::GetMeta& message, client::Ask ask,
                          std::chrono::milliseconds wait);
  /// What a controller without revisions lists, once that is something else than at `since`.
  KVChanges compare_listings(const std::string& partition_id, const std::string& since,
                             const client::Ask& ask, manager::Deadline until);

  const Nodes nodes;
  const ClientOptions options;
  runtime::Wakeup stopping;  // notified when the client ends: waiting calls give up
  const std::stop_callback<std::function<void()>> on_stop{options.stop,
                                                          [this] { stopping.notify(); }};
  manager::ConnectionPool pool;
  client::ControllerClient controller;
  manager::StorageManager storage;
  client::AsyncThreads threads;  // last: what runs on them uses all of the above
};

}  // namespace tq
