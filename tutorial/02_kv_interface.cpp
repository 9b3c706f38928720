// SPDX-License-Identifier: Apache-2.0
// Tutorial 2: the key-value interface. The same story as Python's tutorial/02_kv_interface.py:
// put one sample, put a batch, append a column, change a tag, list, get columns, get all, clear.
//
//   build/release/bin/tq up --units 2 --info-dir nodes &
//   build/release/bin/tutorial_02_kv_interface nodes
#include <torch/torch.h>

#include <iostream>

#include "transfer_queue/kv.h"
#include "transfer_queue/torch.h"

namespace {

// A tag is a small dict about a sample; a single-controller reads it to decide what comes next.
tq::Map tag(int64_t global_steps, const char* status, int64_t model_version) {
  return {{"global_steps", global_steps}, {"status", status}, {"model_version", model_version}};
}

void print_listing(const tq::KVListing& listing) {
  for (const auto& [partition, keys] : listing) {
    for (const auto& [key, tags] : keys) {
      const tq::Value* status = tags.find("status");
      std::cout << "  partition " << partition << ": key " << key << ", status "
                << (status != nullptr ? *status->get_if<std::string>() : "unknown") << "\n";
    }
  }
}

void run(const char* directory) {
  tq::TransferQueueClient client(tq::Nodes::read(directory));
  const std::string partition = "Train";

  std::cout << "1. Put one sample under a key of our own: \"{uid}_{session}\"\n";
  tq::kv_put(client, "0_0", partition,
             {{"input_ids", tq::from_torch(torch::tensor({1, 2, 3}))},
              {"attention_mask", tq::from_torch(torch::ones({3}, torch::kInt64))}},
             tag(0, "running", 0));

  std::cout << "2. Put a batch: row i of each column belongs to key i\n";
  const torch::Tensor input_ids = torch::arange(4, 16).reshape({4, 3});
  const std::vector<std::string> keys = {"1_0", "1_1", "1_2", "2_0"};
  tq::kv_batch_put(client, keys, partition,
                   {{"input_ids", tq::to_column(input_ids)},
                    {"attention_mask", tq::to_column(torch::ones_like(input_ids))}},
                   std::vector<tq::Map>(keys.size(), tag(1, "running", 1)));

  std::cout << "3. Append a column to two of them; their other columns stay\n";
  tq::kv_batch_put(client, {"1_1", "2_0"}, partition,
                   {{"response", tq::to_column(torch::arange(4, 10).reshape({2, 3}))}},
                   std::vector<tq::Map>(2, tag(1, "finish", 1)));

  std::cout << "4. Change a tag alone\n";
  tq::kv_put(client, "0_0", partition, {}, tag(0, "finish", 0));

  std::cout << "5. List keys and tags\n";
  const tq::KVListing listing = tq::kv_list(client, partition);
  print_listing(listing);
  std::vector<std::string> all_keys;
  for (const auto& [key, tags] : listing.at(0).second) all_keys.push_back(key);

  std::cout << "6. Get one column of all samples, which saves the bandwidth of the others\n";
  const tq::Batch ids = tq::kv_batch_get(client, all_keys, partition, {"input_ids"});
  std::cout << tq::to_torch(ids.at("input_ids")) << "\n";

  std::cout << "7. Get all columns that the samples share (\"response\" only two of them have)\n";
  const tq::Batch all = tq::kv_batch_get(client, all_keys, partition);
  for (const auto& [name, column] : all.columns()) {
    std::cout << "  " << name << ": " << column.size() << " rows\n";
  }

  std::cout << "8. Clear two keys\n";
  tq::kv_clear(client, {all_keys[0], all_keys[1]}, partition);
  print_listing(tq::kv_list(client, partition));
  client.clear_partition(partition);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: tutorial_02_kv_interface DIR (where 'tq up --info-dir DIR' runs)\n";
    return 2;
  }
  try {
    run(argv[1]);
  } catch (const tq::Error& error) {
    std::cerr << "tutorial_02_kv_interface: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
