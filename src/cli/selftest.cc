// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <optional>
#include <random>

#include "cli/child_nodes.h"
#include "cli/client_options.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/selftest_columns.h"
#include "transfer_queue/kv.h"
#include "wire/encode.h"

namespace tq::cli {
namespace {

// Bytes and structure of two values, compared in their wire form.
bool same(const Value& a, const Value& b) {
  const Frames left = wire::encode_value(a);
  const Frames right = wire::encode_value(b);
  if (left.size() != right.size()) return false;
  for (size_t i = 0; i < left.size(); ++i) {
    if (left[i].view() != right[i].view()) return false;
  }
  return true;
}

// Why the columns differ; empty when they do not.
std::string difference(const Column& put, const Column& got) {
  if (put.size() != got.size()) {
    return fmt::format("{} rows were put and {} came back", put.size(), got.size());
  }
  for (size_t i = 0; i < put.size(); ++i) {
    if (!same(put.row(i), got.row(i))) return fmt::format("row {} came back changed", i);
  }
  if (put.kind() == Column::Kind::kDense && got.kind() != Column::Kind::kDense) {
    return "a dense column did not come back dense";
  }
  return {};
}

std::string check_column(TransferQueueClient& client, const std::string& partition,
                         const std::string& name, const Column& column) {
  std::vector<std::string> keys;
  for (size_t i = 0; i < column.size(); ++i) keys.push_back(fmt::format("{}-{}", name, i));
  kv_batch_put(client, keys, partition, {{name, column}});
  const Batch got = kv_batch_get(client, keys, partition, {name});
  std::string wrong = difference(column, got.at(name));
  kv_clear(client, keys, partition);
  if (wrong.empty() && client.kv_retrieve_meta(keys, partition, false).size() != 0) {
    wrong = "keys are still there after they were cleared";
  }
  return wrong;
}

std::string check_tags(TransferQueueClient& client, const std::string& partition) {
  const Map tag = {{"score", 0.5}, {"text", "t"}, {"list", Array{1, "x", Value()}}};
  kv_put(client, "tagged", partition, {}, tag);
  const KVListing listing = kv_list(client, partition);
  std::string wrong = "the tag did not come back";
  for (const auto& [name, keys] : listing) {
    for (const auto& [key, tags] : keys) {
      if (key == "tagged" && same(tags, Value(tag))) wrong.clear();
    }
  }
  kv_clear(client, {"tagged"}, partition);
  return wrong;
}

// One line a kind; true when it is in order.
bool report(const std::string& what, const std::function<std::string()>& check) {
  std::string wrong;
  try {
    wrong = check();
  } catch (const Error& error) {
    wrong = error.what();
  }
  fmt::print("{:<6} {:<24} {}\n", wrong.empty() ? "ok" : "FAILED", what, wrong);
  std::fflush(stdout);
  return wrong.empty();
}

int run_selftest(ClientSettings settings) {
  std::optional<ChildNodes> nodes;
  if (settings.info_dir.empty()) use_own_nodes(settings, nodes.emplace(2));
  const auto joined = join(settings);
  TransferQueueClient& client = *joined;
  const std::string partition = fmt::format("tq_selftest_{:08x}", std::random_device{}());
  bool all = true;
  for (const auto& [name, column] : selftest_columns()) {
    // (clang 14 captures no names of a structured binding)
    all &= report(name, [&, &what = name, &put = column] {
      return check_column(client, partition, what, put);
    });
  }
  all &= report("tags", [&] { return check_tags(client, partition); });
  client.clear_partition(partition);
  if (nodes) nodes->stop();
  return all ? kOk : kFailed;
}

}  // namespace

Run add_selftest(CLI::App& program) {
  auto settings = std::make_shared<ClientSettings>();
  CLI::App* command = program.add_subcommand(
      "selftest",
      "Write, read, compare and clear every kind of column on running nodes, in a partition of its "
      "own. One line a kind; exit status 0 only if all came back as they were.");
  add_client_options(*command, *settings)
      ->description("Folder with the addresses of the nodes to test (default: starts its own)");
  command->footer("Example: tq selftest --info-dir /run/tq");
  return [settings] { return reaching([&] { return run_selftest(*settings); }); };
}

}  // namespace tq::cli
