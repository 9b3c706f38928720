// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "checkpoint.h"
#include "waiting.h"
#include "workloads.h"

int main(int argc, char** argv) {
  CLI::App program(
      "Workloads of the C++ client on running nodes; prints one JSON line. bench/compare runs them "
      "against Python's nodes and ours.");
  program.require_subcommand(1);
  std::string info_dir;
  program.add_option("--info-dir", info_dir, "Folder with the nodes' addresses")->required();
  int count = 2000;
  int threads = 8;
  double seconds = 5;
  size_t bytes = 1024;
  int samples = 4000;
  int tokens = 4096;
  size_t batch_bytes = size_t{256} << 20;
  CLI::App* latency = program.add_subcommand("latency", "One key at a time: put, look up, get");
  latency->add_option("--count", count)->capture_default_str();
  latency->add_option("--bytes", bytes)->capture_default_str();
  CLI::App* writers = program.add_subcommand("writers", "Threads of one client put single keys");
  writers->add_option("--threads", threads)->capture_default_str();
  writers->add_option("--seconds", seconds)->capture_default_str();
  writers->add_option("--bytes", bytes)->capture_default_str();
  CLI::App* load =
      program.add_subcommand("load", "A trainer's load: samples of 12 columns and a tag");
  load->add_option("--threads", threads)->capture_default_str();
  load->add_option("--samples", samples, "Of one step")->capture_default_str();
  load->add_option("--seconds", seconds, "Of putting, all steps together")->capture_default_str();
  load->add_option("--tokens", tokens)->capture_default_str();
  CLI::App* mixed = program.add_subcommand("mixed", "Small puts while large batches are put");
  mixed->add_option("--count", count)->capture_default_str();
  mixed->add_option("--batch-bytes", batch_bytes)->capture_default_str();
  CLI::App* rows = program.add_subcommand("rows", "Rows of 1 KiB to 16 MiB");
  rows->add_option("--batch-bytes", batch_bytes)->capture_default_str();
  CLI::App* keys = program.add_subcommand("keys", "A partition of many keys");
  keys->add_option("--count", count)->capture_default_str();
  int every_ms = 0;
  int key_count = 10'000;
  CLI::App* fetch = program.add_subcommand("fetch-waiting", "How late a fetch hears of a sample");
  CLI::App* watch = program.add_subcommand("watch-waiting", "How late a watcher hears of a tag");
  for (CLI::App* one : {fetch, watch}) {
    one->add_option("--count", count)->capture_default_str();
    one->add_option("--every-ms", every_ms, "0: by waiting; else by asking that often")
        ->capture_default_str();
  }
  watch->add_option("--keys", key_count)->capture_default_str();
  std::string folder;
  size_t store_bytes = size_t{4} << 30;
  int saved_keys = 100'000;
  CLI::App* checkpoint =
      program.add_subcommand("checkpoint", "Save and load, and what others wait meanwhile");
  checkpoint->add_option("--folder", folder, "To be made, below the nodes' --checkpoint-root")
      ->required();
  checkpoint->add_option("--store-bytes", store_bytes)->capture_default_str();
  checkpoint->add_option("--keys", saved_keys, "With a tag each")->capture_default_str();
  CLI11_PARSE(program, argc, argv);
  try {
    tq::ClientOptions options;
    options.deadline = std::chrono::seconds(120);
    tq::TransferQueueClient client(tq::Nodes::read(info_dir), options);
    tq::bench::Json result;
    if (*latency) result = tq::bench::latency(client, count, bytes);
    if (*writers) result = tq::bench::writers(client, threads, seconds, bytes);
    if (*load) result = tq::bench::load(client, threads, samples, tokens, seconds);
    if (*mixed) result = tq::bench::mixed(client, count, batch_bytes);
    if (*rows) result = tq::bench::rows(client, batch_bytes);
    if (*keys) result = tq::bench::keys(client, count);
    if (*fetch) result = tq::bench::fetch_waiting(client, count, every_ms);
    if (*watch) result = tq::bench::watch_waiting(client, count, every_ms, key_count);
    if (*checkpoint) result = tq::bench::checkpoint(client, folder, store_bytes, saved_keys);
    fmt::print("{}\n", result.dump());
  } catch (const tq::Error& error) {
    fmt::print(stderr, "tq_workloads: {}\n", error.what());
    return 1;
  }
  return 0;
}
