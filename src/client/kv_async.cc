// SPDX-License-Identifier: Apache-2.0
#include <exception>
#include <memory>

#include "transfer_queue/kv.h"

namespace tq {
namespace {

template <class T>
std::future<T> as_future(TransferQueueClient& client, std::function<T()> call) {
  auto promise = std::make_shared<std::promise<T>>();
  std::future<T> future = promise->get_future();
  client.run_async([promise, call = std::move(call)] {
    try {
      if constexpr (std::is_void_v<T>) {
        call();
        promise->set_value();
      } else {
        promise->set_value(call());
      }
    } catch (...) {
      promise->set_exception(std::current_exception());
    }
  });
  return future;
}

template <class T>
Result<T> result_of(const std::function<T()>& call) {
  try {
    return call();
  } catch (const Error& error) {
    return error;
  } catch (const std::exception& error) {
    return Error(ErrorCode::kInternal, error.what());
  }
}

template <class T>
void with_callback(TransferQueueClient& client, std::function<T()> call, Callback<T> done) {
  client.run_async([call = std::move(call), done = std::move(done)] { done(result_of(call)); });
}

// Each call with its arguments bound: written once, used by the future and by the callback.
std::function<KVBatchMeta()> put_call(TransferQueueClient& c, std::string key,
                                      std::string partition_id,
                                      std::vector<std::pair<std::string, Value>> fields,
                                      std::optional<Map> tag) {
  return
      [&c, key = std::move(key), partition_id = std::move(partition_id), fields = std::move(fields),
       tag = std::move(tag)] { return kv_put(c, key, partition_id, fields, tag); };
}

std::function<KVBatchMeta()> batch_put_call(TransferQueueClient& c, std::vector<std::string> keys,
                                            std::string partition_id, Batch fields,
                                            std::vector<Map> tags) {
  return [&c, keys = std::move(keys), partition_id = std::move(partition_id),
          fields = std::move(fields),
          tags = std::move(tags)] { return kv_batch_put(c, keys, partition_id, fields, tags); };
}

std::function<Batch()> batch_get_call(TransferQueueClient& c, std::vector<std::string> keys,
                                      std::string partition_id, std::vector<std::string> select,
                                      GetForm form) {
  return [&c, keys = std::move(keys), partition_id = std::move(partition_id),
          select = std::move(select),
          form] { return kv_batch_get(c, keys, partition_id, select, form); };
}

std::function<Batch()> get_by_meta_call(TransferQueueClient& c, KVBatchMeta meta,
                                        std::vector<std::string> select, GetForm form) {
  return [&c, meta = std::move(meta), select = std::move(select), form] {
    return kv_batch_get_by_meta(c, meta, select, form);
  };
}

std::function<KVListing()> list_call(TransferQueueClient& c, std::optional<std::string> partition) {
  return [&c, partition = std::move(partition)] { return kv_list(c, partition); };
}

}  // namespace

std::future<KVBatchMeta> async_kv_put(TransferQueueClient& client, std::string key,
                                      std::string partition_id,
                                      std::vector<std::pair<std::string, Value>> fields,
                                      std::optional<Map> tag) {
  return as_future(client, put_call(client, std::move(key), std::move(partition_id),
                                    std::move(fields), std::move(tag)));
}

void async_kv_put(TransferQueueClient& client, std::string key, std::string partition_id,
                  std::vector<std::pair<std::string, Value>> fields, std::optional<Map> tag,
                  Callback<KVBatchMeta> done) {
  with_callback(
      client,
      put_call(client, std::move(key), std::move(partition_id), std::move(fields), std::move(tag)),
      std::move(done));
}

std::future<KVBatchMeta> async_kv_batch_put(TransferQueueClient& client,
                                            std::vector<std::string> keys, std::string partition_id,
                                            Batch fields, std::vector<Map> tags) {
  return as_future(client, batch_put_call(client, std::move(keys), std::move(partition_id),
                                          std::move(fields), std::move(tags)));
}

void async_kv_batch_put(TransferQueueClient& client, std::vector<std::string> keys,
                        std::string partition_id, Batch fields, std::vector<Map> tags,
                        Callback<KVBatchMeta> done) {
  with_callback(client,
                batch_put_call(client, std::move(keys), std::move(partition_id), std::move(fields),
                               std::move(tags)),
                std::move(done));
}

std::future<Batch> async_kv_batch_get(TransferQueueClient& client, std::vector<std::string> keys,
                                      std::string partition_id,
                                      std::vector<std::string> select_fields, GetForm form) {
  return as_future(client, batch_get_call(client, std::move(keys), std::move(partition_id),
                                          std::move(select_fields), form));
}

void async_kv_batch_get(TransferQueueClient& client, std::vector<std::string> keys,
                        std::string partition_id, std::vector<std::string> select_fields,
                        GetForm form, Callback<Batch> done) {
  with_callback(client,
                batch_get_call(client, std::move(keys), std::move(partition_id),
                               std::move(select_fields), form),
                std::move(done));
}

std::future<Batch> async_kv_batch_get_by_meta(TransferQueueClient& client, KVBatchMeta meta,
                                              std::vector<std::string> select_fields,
                                              GetForm form) {
  return as_future(client,
                   get_by_meta_call(client, std::move(meta), std::move(select_fields), form));
}

void async_kv_batch_get_by_meta(TransferQueueClient& client, KVBatchMeta meta,
                                std::vector<std::string> select_fields, GetForm form,
                                Callback<Batch> done) {
  with_callback(client, get_by_meta_call(client, std::move(meta), std::move(select_fields), form),
                std::move(done));
}

std::future<KVListing> async_kv_list(TransferQueueClient& client,
                                     std::optional<std::string> partition_id) {
  return as_future(client, list_call(client, std::move(partition_id)));
}

void async_kv_list(TransferQueueClient& client, std::optional<std::string> partition_id,
                   Callback<KVListing> done) {
  with_callback(client, list_call(client, std::move(partition_id)), std::move(done));
}

std::future<void> async_kv_clear(TransferQueueClient& client, std::vector<std::string> keys,
                                 std::string partition_id) {
  return as_future<void>(client,
                         [&client, keys = std::move(keys), partition_id = std::move(partition_id)] {
                           kv_clear(client, keys, partition_id);
                         });
}

void async_kv_clear(TransferQueueClient& client, std::vector<std::string> keys,
                    std::string partition_id, Callback<std::monostate> done) {
  const auto call = [&client, keys = std::move(keys), partition_id = std::move(partition_id)] {
    kv_clear(client, keys, partition_id);
    return std::monostate{};
  };
  with_callback<std::monostate>(client, call, std::move(done));
}

}  // namespace tq
