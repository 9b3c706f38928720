// SPDX-License-Identifier: Apache-2.0
#include "workloads.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "client/controller_client.h"
#include "figures.h"

namespace tq::bench {
namespace {

Tensor filled(DType dtype, Shape shape) {
  const size_t bytes = static_cast<size_t>(element_count(shape)) * dtype_size(dtype);
  auto [data, to] = Slice::allocate(bytes);
  std::fill_n(to, bytes, std::byte{1});
  return {dtype, std::move(shape), std::move(data)};
}

Tensor bytes_row(size_t bytes) { return filled(DType::uint8, {static_cast<int64_t>(bytes)}); }

template <class Work>
double timed_us(Work&& work) {
  const auto start = Clock::now();
  work();
  return seconds_since(start) * 1e6;
}

Batch dense_batch(size_t rows, size_t row_bytes) {
  return {{"x", Column::dense(filled(
                    DType::uint8, {static_cast<int64_t>(rows), static_cast<int64_t>(row_bytes)}))}};
}

std::vector<double> joined(const std::vector<std::vector<double>>& parts) {
  std::vector<double> all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

std::vector<std::pair<std::string, Value>> load_sample(int tokens) {
  std::vector<std::pair<std::string, Value>> fields;
  for (int i = 0; i < 6; ++i) {
    fields.emplace_back(fmt::format("ids_{}", i), filled(DType::int64, {tokens}));
  }
  for (int i = 0; i < 4; ++i) {
    fields.emplace_back(fmt::format("logp_{}", i), filled(DType::float32, {tokens}));
  }
  std::string messages;
  for (int i = 0; i < 40; ++i) messages += "a user turn ";
  fields.emplace_back("messages", messages);
  fields.emplace_back("extra", Map{{"turns", 3}, {"reward", 0.5}});
  return fields;
}

}  // namespace

Json latency(TransferQueueClient& client, int count, size_t bytes) {
  const Value row = bytes_row(bytes);
  std::vector<double> put;
  std::vector<double> look_up;
  std::vector<double> get;
  for (int i = -count / 10; i < count; ++i) {  // the first tenth warms up
    const std::string key = fmt::format("key-{}", i);
    const double put_us = timed_us([&] { kv_put(client, key, "latency", {{"v", row}}); });
    const double look_up_us = timed_us([&] { client.kv_retrieve_meta({key}, "latency", false); });
    const double get_us = timed_us([&] { kv_batch_get(client, {key}, "latency"); });
    if (i < 0) continue;
    put.push_back(put_us);
    look_up.push_back(look_up_us);
    get.push_back(get_us);
  }
  client.clear_partition("latency");
  Json result = {{"count", count}, {"bytes", bytes}};
  add_percentiles(result, "put", put);
  add_percentiles(result, "look_up", look_up);
  add_percentiles(result, "get", get);
  return result;
}

Json writers(TransferQueueClient& client, int threads, double seconds, size_t bytes) {
  const Value row = bytes_row(bytes);
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                      std::chrono::duration<double>(seconds));
  std::vector<std::vector<double>> times(static_cast<size_t>(threads));
  std::vector<std::thread> running;
  const auto start = Clock::now();
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&, t] {
      for (int i = 0; Clock::now() < end; ++i) {
        const std::string key = fmt::format("{}-{}", t, i);
        times[static_cast<size_t>(t)].push_back(timed_us([&] {
          kv_put(client, key, "writers", {{"v", row}});
        }));
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  const double elapsed = seconds_since(start);
  client.clear_partition("writers");
  const std::vector<double> all = joined(times);
  Json result = {{"threads", threads},
                 {"bytes", bytes},
                 {"seconds", rounded(elapsed)},
                 {"puts_per_s", rounded(static_cast<double>(all.size()) / elapsed)}};
  add_percentiles(result, "put", all);
  return result;
}

namespace {

/// One round of the load: what its puts and lists took.
struct Round {
  std::vector<double> put_us;
  std::vector<double> list_us;
  double put_s = 0;  // all threads together, from the first put to the last
  double fetch_us = 0;
};

Round load_round(TransferQueueClient& client, int threads, int samples,
                 const std::vector<std::pair<std::string, Value>>& fields) {
  std::atomic<int> next{0};
  std::atomic<int> writing{threads};
  std::vector<std::vector<double>> times(static_cast<size_t>(threads));
  std::vector<std::thread> running;
  Round round;
  const auto start = Clock::now();
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&, t] {
      for (int i = next++; i < samples; i = next++) {
        times[static_cast<size_t>(t)].push_back(timed_us([&] {
          kv_put(client, fmt::format("w{}-{}", t, i), "load", fields,
                 Map{{"status", "finished"}, {"writer", t}});
        }));
      }
      --writing;
    });
  }
  while (writing > 0) {
    round.list_us.push_back(timed_us([&] { kv_list(client, "load"); }));
    for (int i = 0; i < 50 && writing > 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  for (std::thread& thread : running) thread.join();
  round.put_s = seconds_since(start);
  round.put_us = joined(times);
  std::vector<std::string> all_keys;
  const KVListing listing = kv_list(client, "load");
  for (const auto& [key, tag] : listing.at(0).second) all_keys.push_back(key);
  round.fetch_us = timed_us([&] {
    kv_batch_get(client, all_keys, "load", {"ids_0", "ids_1", "logp_0", "messages"});
  });
  client.clear_partition("load");
  return round;
}

}  // namespace

Json load(TransferQueueClient& client, int threads, int samples, int tokens, double seconds) {
  const auto fields = load_sample(tokens);
  std::vector<double> puts;
  std::vector<double> lists;
  std::vector<double> fetches;
  double put_s = 0;
  double first_s = 0;
  size_t rounds = 0;
  for (; rounds == 0 || put_s < seconds; ++rounds) {
    const Round round = load_round(client, threads, samples, fields);
    puts.insert(puts.end(), round.put_us.begin(), round.put_us.end());
    lists.insert(lists.end(), round.list_us.begin(), round.list_us.end());
    fetches.push_back(round.fetch_us);
    put_s += round.put_s;
    if (rounds == 0) first_s = round.put_s;
  }
  const double fetch_us = percentile(fetches, 0.5);
  return {{"rounds", rounds},
          {"samples", puts.size()},
          {"bytes_a_sample", tokens * (6 * 8 + 4 * 4)},
          {"puts_per_s", rounded(static_cast<double>(puts.size()) / put_s)},
          {"first_round_puts_per_s", rounded(samples / first_s)},
          {"put_p50_ms", rounded(percentile(puts, 0.5) / 1e3)},
          {"put_p99_ms", rounded(percentile(puts, 0.99) / 1e3)},
          {"list_p50_ms", rounded(percentile(lists, 0.5) / 1e3)},
          {"fetch_s", rounded(fetch_us / 1e6)},
          {"fetch_gbps", rounded(static_cast<double>(samples) * tokens * 20 * 8 / 1e3 / fetch_us)}};
}

Json mixed(TransferQueueClient& client, int count, size_t batch_bytes) {
  constexpr size_t kRowBytes = size_t{256} << 10;
  const Batch large = dense_batch(batch_bytes / kRowBytes, kRowBytes);
  const auto large_keys = numbered("large-", large.size());
  std::atomic<bool> done{false};
  std::atomic<int> large_puts{0};
  std::thread other([&] {
    while (!done) {
      kv_batch_put(client, large_keys, "mixed_large", large);
      ++large_puts;
    }
  });
  const Value row = bytes_row(1024);
  std::vector<double> times;
  while (large_puts == 0) std::this_thread::yield();  // memory is warm then
  for (int i = 0; i < count; ++i) {
    times.push_back(timed_us([&] {
      kv_put(client, fmt::format("small-{}", i), "mixed_small", {{"v", row}});
    }));
  }
  done = true;
  other.join();
  client.clear_partition("mixed_large");
  client.clear_partition("mixed_small");
  Json result = {{"count", count}, {"large_bytes", batch_bytes}, {"large_puts", large_puts.load()}};
  add_percentiles(result, "put", times);
  return result;
}

Json rows(TransferQueueClient& client, size_t batch_bytes) {
  Json result = Json::object();
  for (const size_t row_bytes : {size_t{1} << 10, size_t{4} << 10, size_t{16} << 10,
                                 size_t{64} << 10, size_t{1} << 20, size_t{16} << 20}) {
    const Batch batch = dense_batch(batch_bytes / row_bytes, row_bytes);
    const auto batch_keys = numbered("row-", batch.size());
    std::vector<double> put;
    std::vector<double> get;
    for (int run = 0; run < 6; ++run) {
      const double put_us = timed_us([&] { kv_batch_put(client, batch_keys, "rows", batch); });
      const double get_us = timed_us([&] { kv_batch_get(client, batch_keys, "rows"); });
      client.clear_partition("rows");
      if (run == 0) continue;
      put.push_back(put_us);
      get.push_back(get_us);
    }
    const double kilobits = static_cast<double>(batch_bytes) * 8 / 1e3;
    result[std::to_string(row_bytes)] = {{"put_gbps", rounded(kilobits / percentile(put, 0.5))},
                                         {"get_gbps", rounded(kilobits / percentile(get, 0.5))}};
  }
  return result;
}

namespace {

constexpr auto kPatience = std::chrono::seconds(120);

/// The controller's own protocol, for what the public client does not do.
class Controller {
 public:
  explicit Controller(const ServerInfo& address) : client_(address, pool_, "TQ_CLIENT_bench") {
    client_.handshake(Clock::now() + kPatience);
  }

  /// Tells it that four dense fields of the samples are produced, as a put of them does.
  void report_produced(const BatchMeta& meta) {
    constexpr size_t kRowsATime = 65536;
    wire::FieldUpdate dense;
    dense.dtype = Value(PyObject{PyObject::Kind::kGlobal, "torch", "float32", {}, {}, {}, {}});
    dense.shape = Shape{16};
    dense.is_nested = false;
    dense.is_non_tensor = false;
    for (size_t begin = 0; begin < meta.size(); begin += kRowsATime) {
      const size_t end = std::min(meta.size(), begin + kRowsATime);
      wire::NotifyDataUpdate notify;
      notify.partition_id = kPartition;
      notify.global_indexes = {meta.global_indexes.begin() + static_cast<ptrdiff_t>(begin),
                               meta.global_indexes.begin() + static_cast<ptrdiff_t>(end)};
      for (const std::string& name : kFields) notify.field_schema.emplace_back(name, dense);
      client_.ask<wire::NotifyDataUpdateAck>(notify, Clock::now() + kPatience,
                                             client_.notify_socket());
    }
  }

  /// Takes samples for a task. Returns how many came.
  size_t fetch(int64_t samples) {
    wire::GetMeta request;
    request.data_fields = kFields;
    request.batch_size = samples;
    request.partition_id = kPartition;
    request.task_name = "train";
    return client_.ask<wire::GetMetaResponse>(request, Clock::now() + kPatience).metadata.size();
  }

  static constexpr const char* kPartition = "keys";

 private:
  inline static const std::vector<std::string> kFields = {"a", "b", "c", "d"};

  manager::ConnectionPool pool_{"TQ_STORAGE_bench"};
  client::ControllerClient client_;
};

}  // namespace

Json keys(TransferQueueClient& client, int count) {
  constexpr int64_t kBatch = 256;
  constexpr int kFetchesMax = 500;
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back(fmt::format("key-{:012}", i));
  // Twice: the first partition comes and goes, and leaves memory that is warm.
  constexpr const char* kFirst = "first";
  const double first_us = timed_us([&] { client.kv_retrieve_meta(names, kFirst, true); });
  kv_clear(client, names, kFirst);
  BatchMeta meta;
  const double register_us =
      timed_us([&] { meta = client.kv_retrieve_meta(names, Controller::kPartition, true); });
  size_t listed = 0;
  const double list_us =
      timed_us([&] { listed = kv_list(client, Controller::kPartition).at(0).second.size(); });
  Controller controller(client.nodes().controller);
  const double report_us = timed_us([&] { controller.report_produced(meta); });
  std::vector<double> fetches;
  size_t taken = 0;
  for (int i = 0; i < std::min<int>(kFetchesMax, count / kBatch); ++i) {
    fetches.push_back(timed_us([&] { taken += controller.fetch(kBatch); }));
  }
  Json result = {{"keys", listed},
                 {"register_first_s", rounded(first_us / 1e6)},
                 {"register_s", rounded(register_us / 1e6)},
                 {"list_s", rounded(list_us / 1e6)},
                 {"report_s", rounded(report_us / 1e6)},
                 {"fetched", taken}};
  add_percentiles(result, "fetch_256", fetches);
  return result;
}

}  // namespace tq::bench
