// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <optional>
#include <random>

#include "cli/bench_batch.h"
#include "cli/child_nodes.h"
#include "cli/client_options.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/free_memory.h"
#include "cli/json_value.h"
#include "cli/progress.h"
#include "transfer_queue/kv.h"

namespace tq::cli {
namespace {

// What a run holds at once, in batches: the batch itself, the units' rows, the rows as received and
// the columns made of them.
constexpr uint64_t kCopiesHeld = 4;

struct BenchSettings {
  ClientSettings client;
  std::vector<std::string> sizes = {"small"};
  int runs = 3;
  int units = 2;
  bool dense = false;
  bool rows = false;
  bool json = false;
};

struct Seconds {
  std::vector<double> put;
  std::vector<double> get;
  std::vector<double> clear;
};

template <class Work>
double timed(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double rounded(double value, double digits) { return std::round(value * digits) / digits; }

void check_equal(const Batch& put, const Batch& got) {
  for (const auto& [name, column] : put.columns()) {
    for (const size_t row : {size_t{0}, put.size() - 1}) {
      const Tensor sent = column.row_tensor(row);
      const Tensor received = got.at(name).row_tensor(row);
      if (sent.dtype != received.dtype || sent.shape != received.shape ||
          sent.data.view() != received.data.view()) {
        throw Error(ErrorCode::kInternal, fmt::format("row {} of {} came back changed", row, name));
      }
    }
  }
}

uint64_t tensor_bytes(const Batch& batch) {
  uint64_t bytes = 0;
  for (const auto& [name, column] : batch.columns()) {
    for (size_t row = 0; row < column.size(); ++row) bytes += column.row_tensor(row).data.size;
  }
  return bytes;
}

// One warming run, then the measured ones. What is timed is what bench/python/put_get.py times: the
// look-up of the keys and the transfer, with contiguous columns at the end.
Seconds measure(TransferQueueClient& client, const BenchSize& size, const Batch& batch,
                const BenchSettings& s) {
  const int runs = s.runs;
  const GetForm form = s.rows ? GetForm::kRows : GetForm::kContiguous;
  std::vector<std::string> keys;
  for (int64_t i = 0; i < size.batch; ++i) keys.push_back(fmt::format("k{}", i));
  const uint32_t salt = std::random_device{}();
  Progress progress(static_cast<size_t>(runs + 1) * 2);
  Seconds seconds;
  for (int run = 0; run <= runs; ++run) {
    const std::string partition = fmt::format("bench_{:08x}_{}_{}", salt, size.name, run);
    const std::string label = run == 0 ? fmt::format("{}: warming up", size.name)
                                       : fmt::format("{}: run {} of {}", size.name, run, runs);
    progress.next(label + ", PUT");
    const double put = timed([&] { kv_batch_put(client, keys, partition, batch); });
    progress.next(label + ", GET");
    Batch got;
    const double get = timed([&] { got = kv_batch_get(client, keys, partition, {}, form); });
    check_equal(batch, got);
    got = Batch();
    const double clear = timed([&] { client.clear_partition(partition); });
    if (run == 0) continue;
    seconds.put.push_back(put);
    seconds.get.push_back(get);
    seconds.clear.push_back(clear);
  }
  return seconds;
}

void print_row(const std::array<std::string, 7>& cells) {
  fmt::print("{:<7} {:<18} {:>13} {:>11} {:>13} {:>11} {:>13}\n", cells[0], cells[1], cells[2],
             cells[3], cells[4], cells[5], cells[6]);
  std::fflush(stdout);
}

void print_result(const BenchSettings& s, const BenchSize& size, uint64_t bytes,
                  const Seconds& seconds) {
  const double gigabits = static_cast<double>(bytes) * 8 / 1e9;
  const double put = median(seconds.put);
  const double get = median(seconds.get);
  if (s.json) {
    const Json line = {{"size", std::string(size.name)},
                       {"MB", rounded(static_cast<double>(bytes) / 1e6, 1e3)},
                       {"runs", s.runs},
                       {"put_gbps", rounded(gigabits / put, 1e3)},
                       {"get_gbps", rounded(gigabits / get, 1e3)},
                       {"put_s", rounded(put, 1e6)},
                       {"get_s", rounded(get, 1e6)},
                       {"clear_s", rounded(median(seconds.clear), 1e6)}};
    fmt::print("{}\n", line.dump());
    std::fflush(stdout);
    return;
  }
  print_row({std::string(size.name),
             fmt::format("{} x {} x {}", size.batch, size.sequence, size.fields),
             fmt::format("{:.2f} MB", static_cast<double>(bytes) / 1e6),
             fmt::format("{:.1f} ms", put * 1e3), fmt::format("{:.2f} Gbit/s", gigabits / put),
             fmt::format("{:.1f} ms", get * 1e3), fmt::format("{:.2f} Gbit/s", gigabits / get)});
}

// Why a size must not be started; empty when it fits.
std::string does_not_fit(const BenchSize& size) {
  const uint64_t needed = bench_bytes(size) * kCopiesHeld;
  const uint64_t available = free_memory_bytes();
  if (needed <= available) return {};
  return fmt::format(
      "size {} needs about {:.1f} GB of memory (four times its {:.1f} GB), and {:.1f} GB "
      "are free",
      size.name, static_cast<double>(needed) / 1e9, static_cast<double>(bench_bytes(size)) / 1e9,
      static_cast<double>(available) / 1e9);
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

int run_bandwidth(BenchSettings s) {
  std::vector<BenchSize> sizes;
  for (const BenchSize& size : bench_sizes()) {
    const bool all = contains(s.sizes, "all");
    if (!all && !contains(s.sizes, size.name)) continue;
    const std::string reason = does_not_fit(size);
    if (reason.empty()) {
      sizes.push_back(size);
    } else if (!all) {
      throw Error(ErrorCode::kLimit, reason + "; take a smaller one");
    } else {
      fmt::print(stderr, "left out: {}\n", reason);
    }
  }
  std::optional<ChildNodes> nodes;
  if (s.client.info_dir.empty()) use_own_nodes(s.client, nodes.emplace(s.units));
  const auto client = join(s.client);
  if (!s.json) print_row({"size", "rows x len x cols", "tensors", "PUT", "", "GET", ""});
  for (const BenchSize& size : sizes) {
    const Batch batch = bench_batch(size, s.dense);
    print_result(s, size, tensor_bytes(batch), measure(*client, size, batch, s));
  }
  return kOk;
}

std::vector<std::string> size_names() {
  std::vector<std::string> names;
  for (const BenchSize& size : bench_sizes()) names.emplace_back(size.name);
  names.emplace_back("all");
  return names;
}

CLI::Validator one_of(const std::vector<std::string>& names) {
  return {[names](const std::string& text) {
            return contains(names, text)
                       ? std::string()
                       : fmt::format("'{}' is none of {}", text, fmt::join(names, ", "));
          },
          ""};
}

}  // namespace

Run add_bench(CLI::App& program) {
  auto settings = std::make_shared<BenchSettings>();
  BenchSettings& s = *settings;
  s.client.deadline_s = 120;  // a batch of gigabytes may take a slow machine a while
  CLI::App* bench = program.add_subcommand("bench", "Measure nodes.");
  bench->require_subcommand(1);
  CLI::App* command =
      bench->add_subcommand("bandwidth",
                            "PUT and GET bandwidth of the C++ client, in Gbit/s of tensor bytes: "
                            "medians after one warming "
                            "run. Every run reads back what it put and compares it.");
  add_client_options(*command, s.client)
      ->description("Folder with the addresses of the nodes to measure (default: starts its own)");
  command
      ->add_option("--size", s.sizes,
                   fmt::format("Batches, with commas between: {}", fmt::join(size_names(), ", ")))
      ->delimiter(',')
      ->allow_extra_args(false)
      ->capture_default_str()
      ->check(one_of(size_names()))
      ->type_name("SIZE");
  command->add_option("--runs", s.runs, "Measured runs")
      ->capture_default_str()
      ->check(CLI::Range(1, 100'000))
      ->type_name("N");
  command->add_option("--units", s.units, "Storage units, where it starts its own nodes")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024))
      ->type_name("N");
  command->add_flag("--dense", s.dense, "Every column dense (default: every second one ragged)");
  command->add_flag(
      "--rows", s.rows,
      "GET ends with the rows where they were received (default: contiguous columns)");
  command->add_flag("--json", s.json, "One JSON line a size in place of the table");
  command->footer("Example: tq bench bandwidth --size medium --runs 5");
  return [settings] { return reaching([&] { return run_bandwidth(*settings); }); };
}

}  // namespace tq::cli
