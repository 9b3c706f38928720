// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <future>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "transfer_queue/async.h"
#include "transfer_queue/client.h"

/// The key-value interface: samples by keys of the user's choice, in partitions that isolate them.
/// Names and meaning are Python's (transfer_queue.interface). Errors, blocking and threads are
/// those of TransferQueueClient; where Python drops unknown keys and fields that are not ready,
/// these functions throw and name them, unless ClientOptions::ignore_missing says otherwise.
namespace tq {

/// What a put stored: upstream's KVBatchMeta. A plain value; the operations give new ones, and
/// throw Error(kInvalidArgument) where upstream's raise.
struct KVBatchMeta {
  std::vector<std::string> keys;    ///< in the order of the batch
  std::vector<Value> tags;          ///< a Map for each key
  std::string partition_id;         ///< of all keys
  std::vector<std::string> fields;  ///< all that the keys have now, sorted
  Map extra_info = {};              ///< of the whole batch, for its users; keys are str

  /// Keys.
  size_t size() const noexcept { return keys.size(); }
  /// These keys in this order, each once. Throws Error(kNotFound) for one that is not there.
  KVBatchMeta select_keys(const std::vector<std::string>& wanted) const;
  /// The keys in another order: each position once.
  KVBatchMeta reorder(std::span<const size_t> positions) const;
  /// Parts of equal sizes, the first ones one larger where they cannot be equal, some empty where
  /// there are more parts than keys.
  std::vector<KVBatchMeta> chunk(size_t chunks) const;
  /// One after the other; empty ones are left out. All must be of one partition and have the same
  /// fields; no key may come twice, and extra_info of the same key must be equal.
  static KVBatchMeta concat(std::span<const KVBatchMeta> parts);
};

/// partition -> key -> tags (a Map).
using KVListing = std::vector<std::pair<std::string, std::vector<std::pair<std::string, Value>>>>;

/// One sample: a Value for each field (a Tensor is one row, without a batch dimension). Without
/// fields only the tag is set; one of the two must be given. The tag's
/// entries are added to the sample's tag, or replace those of the same name there.
KVBatchMeta kv_put(TransferQueueClient& client, const std::string& key,
                   const std::string& partition_id,
                   const std::vector<std::pair<std::string, Value>>& fields,
                   const std::optional<Map>& tag = std::nullopt);

/// Row i of each column for keys[i]; keys must be different. `tags` is empty or has one Map a key.
/// Updating one column of known keys leaves the others as they are.
KVBatchMeta kv_batch_put(TransferQueueClient& client, const std::vector<std::string>& keys,
                         const std::string& partition_id, const Batch& fields,
                         const std::vector<Map>& tags = {});

/// The fields of the keys (all fields that they share when `select_fields` is empty), row i for
/// keys[i].
Batch kv_batch_get(TransferQueueClient& client, const std::vector<std::string>& keys,
                   const std::string& partition_id,
                   const std::vector<std::string>& select_fields = {},
                   GetForm form = GetForm::kContiguous);

/// The same for what a put returned; `select_fields` must be among meta.fields.
Batch kv_batch_get_by_meta(TransferQueueClient& client, const KVBatchMeta& meta,
                           const std::vector<std::string>& select_fields = {},
                           GetForm form = GetForm::kContiguous);

/// Keys and tags of one partition, or of all; blocks as TransferQueueClient::kv_list.
KVListing kv_list(TransferQueueClient& client,
                  const std::optional<std::string>& partition_id = std::nullopt);

/// What changed since an earlier call: TransferQueueClient::kv_list_changes.
KVChanges kv_list_changes(TransferQueueClient& client, const std::string& partition_id,
                          const std::string& since = {},
                          std::chrono::milliseconds wait = std::chrono::milliseconds(0));

/// Ends the samples of these keys: no longer listed, then their rows gone.
void kv_clear(TransferQueueClient& client, const std::vector<std::string>& keys,
              const std::string& partition_id);

///@{
/// The same without blocking, as transfer_queue/async.h says; kv_list_changes is there too.
std::future<KVBatchMeta> async_kv_put(TransferQueueClient& client, std::string key,
                                      std::string partition_id,
                                      std::vector<std::pair<std::string, Value>> fields,
                                      std::optional<Map> tag = std::nullopt);
std::future<KVBatchMeta> async_kv_batch_put(TransferQueueClient& client,
                                            std::vector<std::string> keys, std::string partition_id,
                                            Batch fields, std::vector<Map> tags = {});
std::future<Batch> async_kv_batch_get(TransferQueueClient& client, std::vector<std::string> keys,
                                      std::string partition_id,
                                      std::vector<std::string> select_fields = {},
                                      GetForm form = GetForm::kContiguous);
std::future<Batch> async_kv_batch_get_by_meta(TransferQueueClient& client, KVBatchMeta meta,
                                              std::vector<std::string> select_fields = {},
                                              GetForm form = GetForm::kContiguous);
std::future<KVListing> async_kv_list(TransferQueueClient& client,
                                     std::optional<std::string> partition_id = std::nullopt);
std::future<void> async_kv_clear(TransferQueueClient& client, std::vector<std::string> keys,
                                 std::string partition_id);
///@}

///@{
/// The same with a callback.
void async_kv_put(TransferQueueClient& client, std::string key, std::string partition_id,
                  std::vector<std::pair<std::string, Value>> fields, std::optional<Map> tag,
                  Callback<KVBatchMeta> done);
void async_kv_batch_put(TransferQueueClient& client, std::vector<std::string> keys,
                        std::string partition_id, Batch fields, std::vector<Map> tags,
                        Callback<KVBatchMeta> done);
void async_kv_batch_get(TransferQueueClient& client, std::vector<std::string> keys,
                        std::string partition_id, std::vector<std::string> select_fields,
                        GetForm form, Callback<Batch> done);
void async_kv_batch_get_by_meta(TransferQueueClient& client, KVBatchMeta meta,
                                std::vector<std::string> select_fields, GetForm form,
                                Callback<Batch> done);
void async_kv_list(TransferQueueClient& client, std::optional<std::string> partition_id,
                   Callback<KVListing> done);
void async_kv_clear(TransferQueueClient& client, std::vector<std::string> keys,
                    std::string partition_id, Callback<std::monostate> done);
///@}

}  // namespace tq
