// SPDX-License-Identifier: Apache-2.0
#include "checkpoint.h"

#include <algorithm>
#include <atomic>
#include <future>

#include "figures.h"
#include "transfer_queue/checkpoint.h"

namespace tq::bench {
namespace {

namespace fs = std::filesystem;

constexpr size_t kRowBytes = size_t{256} << 10;
constexpr size_t kBatchRows = 256;
constexpr const char* kStore = "checkpoint_store";
constexpr const char* kKeys = "checkpoint_keys";
constexpr const char* kSmall = "checkpoint_small";

Tensor ones(Shape shape) {
  const auto bytes = static_cast<size_t>(element_count(shape));
  auto [data, to] = Slice::allocate(bytes);
  std::fill_n(to, bytes, std::byte{1});
  return {DType::uint8, std::move(shape), std::move(data)};
}

void fill(TransferQueueClient& client, size_t store_bytes, int keys) {
  const Tensor rows = ones({static_cast<int64_t>(kBatchRows), static_cast<int64_t>(kRowBytes)});
  const size_t batches = std::max<size_t>(1, store_bytes / (kBatchRows * kRowBytes));
  for (size_t i = 0; i < batches; ++i) {
    const auto names = numbered(fmt::format("batch-{}-", i), kBatchRows);
    kv_batch_put(client, names, kStore, {{"x", Column::dense(rows)}});
  }
  constexpr size_t kTagsATime = 10'000;
  const auto names = numbered("key-", static_cast<size_t>(keys));
  for (size_t from = 0; from < names.size(); from += kTagsATime) {
    const size_t to = std::min(names.size(), from + kTagsATime);
    const std::vector<std::string> part(names.begin() + static_cast<ptrdiff_t>(from),
                                        names.begin() + static_cast<ptrdiff_t>(to));
    kv_batch_put(client, part, kKeys, {}, std::vector<Map>(part.size(), Map{{"score", 0.5}}));
  }
}

struct Others {
  std::vector<double> put_us;
  std::vector<double> get_us;

  void add_to(Json& result, const std::string& when) const {
    result[when + "_calls"] = put_us.size();
    add_percentiles(result, when + "_put", put_us);
    add_percentiles(result, when + "_get", get_us);
    result[when + "_put_max_us"] = rounded(percentile(put_us, 1));
    result[when + "_get_max_us"] = rounded(percentile(get_us, 1));
  }
};

// What another client sees until `done`, at least once.
Others others_until(TransferQueueClient& client, const std::function<bool()>& done) {
  const Value row = ones({1024});
  Others others;
  do {
    const auto put = Clock::now();
    kv_put(client, "one", kSmall, {{"v", row}});
    const auto get = Clock::now();
    kv_batch_get(client, {"one"}, kSmall);
    others.put_us.push_back(std::chrono::duration<double, std::micro>(get - put).count());
    others.get_us.push_back(seconds_since(get) * 1e6);
  } while (!done());
  return others;
}

double bytes_in(const fs::path& folder) {
  double bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) bytes += static_cast<double>(entry.file_size());
  }
  return bytes;
}

}  // namespace

Json checkpoint(TransferQueueClient& client, const fs::path& folder, size_t store_bytes, int keys) {
  constexpr int kBefore = 1000;
  fill(client, store_bytes, keys);
  TransferQueueClient other(client.nodes());
  int left = kBefore;
  const Others before = others_until(other, [&] { return --left <= 0; });
  const auto start = Clock::now();
  double save_s = 0;
  std::future<void> saved = std::async(std::launch::async, [&] {
    save_checkpoint(client, folder);
    save_s = seconds_since(start);
  });
  const Others during = others_until(
      other, [&] { return saved.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
  saved.get();
  const double bytes = bytes_in(folder);
  const auto load_start = Clock::now();
  load_checkpoint(client, folder);
  const double load_s = seconds_since(load_start);
  for (const char* partition : {kStore, kKeys, kSmall}) client.clear_partition(partition);
  fs::remove_all(folder);
  Json result = {{"bytes", static_cast<uint64_t>(bytes)},
                 {"keys", keys},
                 {"save_s", rounded(save_s)},
                 {"load_s", rounded(load_s)},
                 {"save_gb_per_s", rounded(bytes / save_s / 1e9)},
                 {"load_gb_per_s", rounded(bytes / load_s / 1e9)}};
  before.add_to(result, "before");
  during.add_to(result, "during");
  return result;
}

}  // namespace tq::bench
