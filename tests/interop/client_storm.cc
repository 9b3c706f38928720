// SPDX-License-Identifier: Apache-2.0
#include "interop/client_storm.h"

#include <future>

namespace tq::test {
namespace {

using Client = std::unique_ptr<TransferQueueClient>;

// Rows that only this thread and round would write.
Tensor storm_rows(size_t thread, size_t round, size_t rows, size_t width) {
  std::vector<int64_t> numbers(rows * width);
  for (size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = static_cast<int64_t>((thread << 40) + (round << 20) + i);
  }
  const std::string_view bytes(reinterpret_cast<const char*>(numbers.data()), numbers.size() * 8);
  return {DType::int64,
          {static_cast<int64_t>(rows), static_cast<int64_t>(width)},
          Slice::copy_of(bytes)};
}

}  // namespace

Json storm(Client& client, const Json& c) {
  const size_t count = c.at("threads"), rounds = c.at("rounds"), rows = c.at("rows");
  const size_t width = c.at("width");
  std::promise<void> begin;
  const std::shared_future<void> begun = begin.get_future().share();
  std::vector<std::future<std::string>> threads;
  for (size_t thread = 0; thread < count; ++thread) {
    threads.push_back(std::async(std::launch::async, [=, &client]() -> std::string {
      const std::string partition = "storm-" + std::to_string(thread % 3);
      std::vector<std::string> keys;
      for (size_t i = 0; i < rows; ++i) {
        keys.push_back(std::to_string(thread) + "/" + std::to_string(i));
      }
      begun.wait();
      for (size_t round = 0; round < rounds; ++round) {
        const Tensor put = storm_rows(thread, round, rows, width);
        kv_batch_put(*client, keys, partition, {{"x", Column::dense(put)}});
        const Batch got = kv_batch_get(*client, keys, partition, {"x"});
        if (got.at("x").tensor().data.view() != put.data.view()) return "a wrong value";
        kv_clear(*client, keys, partition);
      }
      return {};
    }));
  }
  begin.set_value();
  Json wrong = Json::array();
  for (auto& thread : threads) {
    try {
      const std::string what = thread.get();
      if (!what.empty()) wrong.push_back(what);
    } catch (const std::exception& error) {
      wrong.push_back(error.what());
    }
  }
  return wrong;
}

}  // namespace tq::test
