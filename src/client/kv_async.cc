// SPDX-License-Identifier: Apache-2.0
#include "transfer_queue/async.h"
#include "transfer_queue/kv.h"

namespace tq {
namespace {

using internal::Async;

constexpr Async<&kv_put, 0> kPut{};
constexpr Async<&kv_batch_put, 0> kBatchPut{};
constexpr Async<&kv_batch_get, 0> kBatchGet{};
constexpr Async<&kv_batch_get_by_meta, 0> kBatchGetByMeta{};
constexpr Async<&kv_list, 0> kList{};
constexpr Async<&kv_clear, 0> kClear{};

}  // namespace

std::future<KVBatchMeta> async_kv_put(TransferQueueClient& client, std::string key,
                                      std::string partition_id,
                                      std::vector<std::pair<std::string, Value>> fields,
                                      std::optional<Map> tag) {
  return kPut(client, std::move(key), std::move(partition_id), std::move(fields), std::move(tag));
}

void async_kv_put(TransferQueueClient& client, std::string key, std::string partition_id,
                  std::vector<std::pair<std::string, Value>> fields, std::optional<Map> tag,
                  Callback<KVBatchMeta> done) {
  kPut(client, std::move(key), std::move(partition_id), std::move(fields), std::move(tag),
       std::move(done));
}

std::future<KVBatchMeta> async_kv_batch_put(TransferQueueClient& client,
                                            std::vector<std::string> keys, std::string partition_id,
                                            Batch fields, std::vector<Map> tags) {
  return kBatchPut(client, std::move(keys), std::move(partition_id), std::move(fields),
                   std::move(tags));
}

void async_kv_batch_put(TransferQueueClient& client, std::vector<std::string> keys,
                        std::string partition_id, Batch fields, std::vector<Map> tags,
                        Callback<KVBatchMeta> done) {
  kBatchPut(client, std::move(keys), std::move(partition_id), std::move(fields), std::move(tags),
            std::move(done));
}

std::future<Batch> async_kv_batch_get(TransferQueueClient& client, std::vector<std::string> keys,
                                      std::string partition_id,
                                      std::vector<std::string> select_fields, GetForm form) {
  return kBatchGet(client, std::move(keys), std::move(partition_id), std::move(select_fields),
                   form);
}

void async_kv_batch_get(TransferQueueClient& client, std::vector<std::string> keys,
                        std::string partition_id, std::vector<std::string> select_fields,
                        GetForm form, Callback<Batch> done) {
  kBatchGet(client, std::move(keys), std::move(partition_id), std::move(select_fields), form,
            std::move(done));
}

std::future<Batch> async_kv_batch_get_by_meta(TransferQueueClient& client, KVBatchMeta meta,
                                              std::vector<std::string> select_fields,
                                              GetForm form) {
  return kBatchGetByMeta(client, std::move(meta), std::move(select_fields), form);
}

void async_kv_batch_get_by_meta(TransferQueueClient& client, KVBatchMeta meta,
                                std::vector<std::string> select_fields, GetForm form,
                                Callback<Batch> done) {
  kBatchGetByMeta(client, std::move(meta), std::move(select_fields), form, std::move(done));
}

std::future<KVListing> async_kv_list(TransferQueueClient& client,
                                     std::optional<std::string> partition_id) {
  return kList(client, std::move(partition_id));
}

void async_kv_list(TransferQueueClient& client, std::optional<std::string> partition_id,
                   Callback<KVListing> done) {
  kList(client, std::move(partition_id), std::move(done));
}

std::future<void> async_kv_clear(TransferQueueClient& client, std::vector<std::string> keys,
                                 std::string partition_id) {
  return kClear(client, std::move(keys), std::move(partition_id));
}

void async_kv_clear(TransferQueueClient& client, std::vector<std::string> keys,
                    std::string partition_id, Callback<std::monostate> done) {
  kClear(client, std::move(keys), std::move(partition_id), std::move(done));
}

}  // namespace tq
