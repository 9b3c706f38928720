// SPDX-License-Identifier: Apache-2.0
#include "workloads.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <thread>

namespace tq::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double percentile(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(part * static_cast<double>(values.size() - 1))];
}

double rounded(double value) { return std::round(value * 1000) / 1000; }

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

void add_percentiles(Json& result, const std::string& name, const std::vector<double>& times_us) {
  result[name + "_p50_us"] = rounded(percentile(times_us, 0.5));
  result[name + "_p99_us"] = rounded(percentile(times_us, 0.99));
}

std::vector<std::string> numbered(const std::string& prefix, size_t count) {
  std::vector<std::string> names;
  names.reserve(count);
  for (size_t i = 0; i < count; ++i) names.push_back(fmt::format("{}{}", prefix, i));
  return names;
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

Json load(TransferQueueClient& client, int threads, int samples, int tokens) {
  const auto fields = load_sample(tokens);
  std::atomic<int> next{0};
  std::atomic<int> writing{threads};
  std::vector<std::vector<double>> times(static_cast<size_t>(threads));
  std::vector<std::thread> running;
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
  std::vector<double> lists;
  while (writing > 0) {
    lists.push_back(timed_us([&] { kv_list(client, "load"); }));
    for (int i = 0; i < 50 && writing > 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  for (std::thread& thread : running) thread.join();
  const double elapsed = seconds_since(start);
  std::vector<std::string> all_keys;
  const KVListing listing = kv_list(client, "load");
  for (const auto& [key, tag] : listing.at(0).second) all_keys.push_back(key);
  const double fetch = timed_us([&] {
    kv_batch_get(client, all_keys, "load", {"ids_0", "ids_1", "logp_0", "messages"});
  });
  client.clear_partition("load");
  const std::vector<double> all = joined(times);
  return {{"samples", all.size()},
          {"bytes_a_sample", tokens * (6 * 8 + 4 * 4)},
          {"puts_per_s", rounded(static_cast<double>(all.size()) / elapsed)},
          {"put_p50_ms", rounded(percentile(all, 0.5) / 1e3)},
          {"put_p99_ms", rounded(percentile(all, 0.99) / 1e3)},
          {"list_p50_ms", rounded(percentile(lists, 0.5) / 1e3)},
          {"fetch_s", rounded(fetch / 1e6)},
          {"fetch_gbps",
           rounded(static_cast<double>(all_keys.size()) * tokens * 20 * 8 / 1e3 / fetch)}};
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

Json keys(TransferQueueClient& client, int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back(fmt::format("key-{:012}", i));
  const double register_us = timed_us([&] { client.kv_retrieve_meta(names, "keys", true); });
  size_t listed = 0;
  const double list_us = timed_us([&] { listed = kv_list(client, "keys").at(0).second.size(); });
  const double look_up_us = timed_us([&] { client.kv_retrieve_meta({names[0]}, "keys", false); });
  const double clear_us = timed_us([&] { client.clear_partition("keys"); });
  return {{"keys", listed},
          {"register_s", rounded(register_us / 1e6)},
          {"list_s", rounded(list_us / 1e6)},
          {"look_up_one_us", rounded(look_up_us)},
          {"clear_s", rounded(clear_us / 1e6)}};
}

}  // namespace tq::bench
