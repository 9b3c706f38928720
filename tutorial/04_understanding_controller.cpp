// SPDX-License-Identifier: Apache-2.0
// Tutorial 4: what the controller does, the same story as Python's
// tutorial/04_understanding_controller.py.
//
//   partitions   are isolated: a partition's samples are nobody else's
//   growth       rows and columns come when they come; nothing is declared before
//   sampling     a task gets each sample once, by default in order
//   tasks        do not know of each other: what one consumed is there for all others
//
//   build/release/bin/tutorial_04_understanding_controller
#include <torch/torch.h>

#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "transfer_queue/client.h"
#include "transfer_queue/nodes.h"
#include "transfer_queue/torch.h"

namespace {

std::string joined(const auto& items) {
  std::ostringstream line;
  for (const auto& item : items) line << (line.tellp() == 0 ? "" : ", ") << item;
  return line.str();
}

// What a BatchMeta says of its samples.
std::string text(const tq::BatchMeta& meta) {
  return "samples " + joined(meta.global_indexes) + " of " + meta.partition_of(0) + " with " +
         joined(meta.field_names());
}

// A tensor of numbers in one line: "1 2 3 / 4 5 6".
std::string text(const torch::Tensor& rows) {
  std::ostringstream line;
  for (int64_t i = 0; i < rows.size(0); ++i) {
    if (i > 0) line << " / ";
    for (int64_t j = 0; j < rows.size(1); ++j) {
      line << (j > 0 ? " " : "") << rows[i][j].item<int64_t>();
    }
  }
  return line.str();
}

tq::GetMetaOptions for_task(const std::string& name) {
  tq::GetMetaOptions options;
  options.task_name = name;
  return options;
}

void show(tq::TransferQueueClient& client, const std::string& partition) {
  const tq::BatchMeta meta =
      client.get_meta({"input_ids", "labels"}, 2, partition, for_task(partition + "_task"));
  const tq::Batch data = client.get_data(meta, {"input_ids", "labels"});
  std::cout << "  " << partition << " has " << text(meta) << "\n"
            << "    input_ids " << text(tq::to_torch(data.at("input_ids"))) << "\n"
            << "    labels " << text(tq::to_torch(data.at("labels"))) << "\n";
}

void partition_isolation(tq::TransferQueueClient& client) {
  std::cout << "\nFeature 1: partitions are isolated\n";
  client.put({{"input_ids", tq::to_column(torch::tensor({{1, 2, 3}, {4, 5, 6}}))},
              {"labels", tq::to_column(torch::tensor({{0}, {1}}))}},
             "train");
  client.put({{"input_ids", tq::to_column(torch::tensor({{7, 8, 9}, {10, 11, 12}}))},
              {"labels", tq::to_column(torch::tensor({{2}, {3}}))}},
             "val");
  // The same fields, but each partition gives its own samples. Their global indexes differ, for an
  // index names a sample among those of all partitions.
  show(client, "train");
  show(client, "val");
  client.clear_partition("train");
  client.clear_partition("val");
}

void dynamic_expansion(tq::TransferQueueClient& client) {
  std::cout << "\nFeature 2: partitions grow\n";
  const tq::BatchMeta first =
      client.put({{"field1", tq::to_column(torch::tensor({{1, 2}, {3, 4}}))},
                  {"field2", tq::to_column(torch::tensor({{5, 6}, {7, 8}}))}},
                 "dynamic");
  std::cout << "  two rows: " << text(first) << "\n";

  const tq::BatchMeta more =
      client.put({{"field1", tq::to_column(torch::tensor({{9, 10}, {11, 12}, {13, 14}}))},
                  {"field2", tq::to_column(torch::tensor({{15, 16}, {17, 18}, {19, 20}}))}},
                 "dynamic");
  std::cout << "  three more rows: " << text(more) << "\n";
  const tq::BatchMeta all =
      client.get_meta({"field1", "field2"}, 5, "dynamic", for_task("dynamic_task"));
  std::cout << "  all rows: " << text(all) << "\n";

  // A new column of known samples: put it with their metadata. The samples without it are not
  // ready for whoever asks for it.
  const tq::Batch column = {{"field3", tq::to_column(torch::tensor({{25, 26}, {27, 28}}))}};
  client.put(column, first);
  std::cout << "  a third column for two: " << text(first.with_data_fields(column)) << "\n";
  client.clear_partition("dynamic");
}

void default_sampling(tq::TransferQueueClient& client) {
  std::cout << "\nFeature 3: a task gets each sample once, in order\n";
  client.put({{"data", tq::to_column(torch::arange(6).reshape({6, 1}))}}, "sampling");
  const auto get = [&](const std::string& task, size_t count) {
    const tq::BatchMeta meta = client.get_meta({"data"}, count, "sampling", for_task(task));
    std::cout << "  task " << task << " asks for " << count << ": " << joined(meta.global_indexes)
              << "\n";
  };
  get("A", 3);
  get("A", 3);
  get("B", 2);  // another task starts from the beginning
  client.clear_partition("sampling");
}

// Each feature has nodes of its own, so that global indexes begin at 0.
void with_fresh_nodes(void (*feature)(tq::TransferQueueClient&)) {
  tq::LocalNodes nodes({.storage_units = 2});
  tq::TransferQueueClient client(nodes.addresses());
  feature(client);
}

}  // namespace

int main() {
  try {
    with_fresh_nodes(partition_isolation);
    with_fresh_nodes(dynamic_expansion);
    with_fresh_nodes(default_sampling);
  } catch (const std::exception& error) {
    std::cerr << "tutorial_04_understanding_controller: " << error.what() << "\n";
    return 1;
  }
  std::cout << "\nThe end. Partitions isolate, rows and columns come as they come, tasks get each "
               "sample once.\n";
  return 0;
}
