// SPDX-License-Identifier: Apache-2.0
// What a trainer waits for its data: StreamingDataset, which fetches when it is asked, beside
// StreamingDataLoader, which fetches ahead.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "transfer_queue/stream.h"

namespace tq::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;
using Milliseconds = std::chrono::duration<double, std::milli>;

struct Load {
  std::string info_dir;
  size_t batches = 40;
  size_t rows = 64;
  size_t row_bytes = size_t{256} << 10;
  double compute_ms = 10;
};

constexpr const char* kPartition = "stream";

void produce(TransferQueueClient& client, const Load& load) {
  Column rows =
      Column::dense({DType::uint8,
                     {static_cast<int64_t>(load.rows), static_cast<int64_t>(load.row_bytes)},
                     Slice::own(std::string(load.rows * load.row_bytes, 'x'))});
  for (size_t i = 0; i < load.batches; ++i) client.put({{"x", rows}}, kPartition);
}

StreamingDatasetOptions options_of(const Load& load, const std::string& task) {
  StreamingDatasetOptions options;
  options.batch_size = load.rows;
  options.micro_batch_size = load.rows;
  options.data_fields = {"x"};
  options.partition_id = kPartition;
  options.task_name = task;
  options.keep_batches = false;
  return options;
}

// The trainer's work is sleep, so that on few cores it is not in the way of what is measured.
template <class Stream>
Json epoch(Stream& stream, const Load& load) {
  std::vector<double> waits;
  const auto started = Clock::now();
  for (size_t i = 0; i < load.batches; ++i) {
    const auto asked = Clock::now();
    stream.next();
    waits.push_back(Milliseconds(Clock::now() - asked).count());
    std::this_thread::sleep_for(Milliseconds(load.compute_ms));
  }
  const double total_s = std::chrono::duration<double>(Clock::now() - started).count();
  std::sort(waits.begin(), waits.end());
  return {{"wait_p50_ms", waits[waits.size() / 2]},
          {"wait_max_ms", waits.back()},
          {"batches_per_s", static_cast<double>(load.batches) / total_s}};
}

Json run(const Load& load) {
  const Nodes nodes = Nodes::read(load.info_dir);
  TransferQueueClient client(nodes);
  produce(client, load);
  Json result = {{"batch_bytes", load.rows * load.row_bytes}, {"compute_ms", load.compute_ms}};
  for (const std::string round : {"warm-up", "measured"}) {
    StreamingDataset alone(nodes, options_of(load, round + " alone"));
    result["no prefetch"] = epoch(alone, load);
    for (const size_t workers : {1, 2}) {
      const std::string name = fmt::format("{} workers, 2 ahead each", workers);
      StreamingDataLoader loader(StreamingDataset(nodes, options_of(load, round + name)),
                                 {workers, 2});
      result[name] = epoch(loader, load);
    }
  }
  client.clear_partition(kPartition);
  return result;
}

}  // namespace
}  // namespace tq::bench

int main(int argc, char** argv) {
  CLI::App program(
      "How long a trainer waits for its batches with and without prefetch, on running nodes; "
      "prints one JSON line.");
  tq::bench::Load load;
  program.add_option("--info-dir", load.info_dir, "Folder with the nodes' addresses")->required();
  program.add_option("--batches", load.batches)->capture_default_str();
  program.add_option("--rows", load.rows, "Of a batch")->capture_default_str();
  program.add_option("--row-bytes", load.row_bytes)->capture_default_str();
  program.add_option("--compute-ms", load.compute_ms, "What a step takes")->capture_default_str();
  CLI11_PARSE(program, argc, argv);
  try {
    fmt::print("{}\n", tq::bench::run(load).dump());
  } catch (const tq::Error& error) {
    fmt::print(stderr, "tq_stream_bench: {}\n", error.what());
    return 1;
  }
  return 0;
}
