// SPDX-License-Identifier: Apache-2.0
// Tutorial 2: the key-value interface, the same story as Python's tutorial/02_kv_interface.py.
//
// Think of a table. Each row is a sample, under a key that you choose. Each column is a field:
// tensors mostly, but any value will do. A partition is a table of its own, so that "Train" and
// "Validation" never meet. Beside its fields a sample carries a tag, a small dict that says where
// it stands: its step, its status, its score.
//
//   kv_put, kv_batch_put   insert samples, or update some fields of known ones
//   kv_batch_get           read samples by their keys, all fields or some
//   kv_list                see which keys there are, with their tags
//   kv_clear               remove samples
//
// Each has an async_ twin. Nobody tracks here who has consumed what: your controller reads the tags
// and hands out the keys. Start two storage units and run the story against them:
//
//   build/release/bin/tq up --units 2 --info-dir nodes &
//   build/release/bin/tutorial_02_kv_interface nodes
#include <torch/torch.h>

#include <iostream>
#include <string>
#include <vector>

#include "transfer_queue/kv.h"
#include "transfer_queue/torch.h"

namespace {

const std::string kPartition = "Train";

tq::Map make_tag(int64_t global_steps, const char* status, int64_t model_version) {
  return {{"global_steps", global_steps}, {"status", status}, {"model_version", model_version}};
}

// A tag holds Values; this story's are integers and text.
std::string text(const tq::Value& value) {
  if (const auto* tag = value.get_if<tq::Map>()) {
    std::string entries;
    for (const auto& [name, entry] : *tag) {
      entries += (entries.empty() ? "" : ", ") + text(name) + ": " + text(entry);
    }
    return "{" + entries + "}";
  }
  if (const auto* number = value.get_if<int64_t>()) return std::to_string(*number);
  if (const auto* words = value.get_if<std::string>()) return *words;
  return std::string(value.kind_name());
}

std::string joined(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : ", ") + word;
  return line;
}

std::vector<std::string> field_names(const tq::Batch& batch) {
  std::vector<std::string> names;
  for (const auto& [name, column] : batch.columns()) names.push_back(name);
  return names;
}

void put_samples(tq::TransferQueueClient& client) {
  std::cout << "\nStep 1: put one sample with kv_put\n";
  // Keys mean something to you: here "{uid}_{session}". A tensor of kv_put is the sample's own,
  // without a batch dimension.
  const torch::Tensor prompt = torch::tensor({1, 2, 3});
  tq::kv_put(client, "0_0", kPartition,
             {{"input_ids", tq::from_torch(prompt)},
              {"attention_mask", tq::from_torch(torch::ones_like(prompt))}},
             make_tag(0, "running", 0));
  std::cout << "  0_0 has the fields input_ids and attention_mask\n";

  std::cout << "\nStep 2: put a batch with kv_batch_put\n";
  // Row i of each column belongs to key i, and so does tag i. A field keeps the dtype that it was
  // first put with.
  const torch::Tensor prompts = torch::arange(4, 16).reshape({4, 3});
  const std::vector<std::string> keys = {"1_0", "1_1", "1_2", "2_0"};
  tq::kv_batch_put(client, keys, kPartition,
                   {{"input_ids", tq::to_column(prompts)},
                    {"attention_mask", tq::to_column(torch::ones_like(prompts))}},
                   std::vector<tq::Map>(keys.size(), make_tag(1, "running", 1)));
  std::cout << "  so have " << joined(keys) << "\n";
}

void update_samples(tq::TransferQueueClient& client) {
  std::cout << "\nStep 3: append a field to samples that are there\n";
  // Their other fields stay; the new tags say that these two are done.
  const std::vector<std::string> keys = {"1_1", "2_0"};
  const torch::Tensor responses = torch::arange(4, 10).reshape({2, 3});
  tq::kv_batch_put(client, keys, kPartition, {{"response", tq::to_column(responses)}},
                   std::vector<tq::Map>(keys.size(), make_tag(1, "finish", 1)));
  std::cout << "  " << joined(keys) << " now have a response too\n";

  std::cout << "\nStep 4: change a tag without touching the data\n";
  tq::kv_put(client, "0_0", kPartition, {}, make_tag(0, "finish", 0));
  std::cout << "  0_0 is finished\n";
}

// The keys of the partition.
std::vector<std::string> list_samples(tq::TransferQueueClient& client) {
  std::vector<std::string> keys;
  for (const auto& [partition, samples] : tq::kv_list(client, kPartition)) {
    std::cout << "  partition " << partition << "\n";
    for (const auto& [key, tag] : samples) {
      std::cout << "    " << key << "  " << text(tag) << "\n";
      keys.push_back(key);
    }
  }
  return keys;
}

void get_samples(tq::TransferQueueClient& client, const std::vector<std::string>& keys) {
  std::cout << "\nStep 6: get one field with kv_batch_get, and spare the bandwidth of the others\n";
  const tq::Batch prompts = tq::kv_batch_get(client, keys, kPartition, {"input_ids"});
  std::cout << "  got the fields: " << joined(field_names(prompts)) << "\n";
  // Like rows make one tensor; row i is the sample keys[i].
  const torch::Tensor input_ids = tq::to_torch(prompts.at("input_ids"));
  const auto tokens = input_ids.accessor<int64_t, 2>();
  for (size_t i = 0; i < keys.size(); ++i) {
    std::cout << "    " << keys[i] << ":";
    for (int64_t j = 0; j < tokens.size(1); ++j) std::cout << " " << tokens[i][j];
    std::cout << "\n";
  }

  std::cout << "\nStep 7: get all fields that these samples share\n";
  const tq::Batch all = tq::kv_batch_get(client, keys, kPartition);
  std::cout << "  got the fields: " << joined(field_names(all)) << "\n";
  // Where Python leaves out what not all of them have, asking for it is an error here.
  try {
    tq::kv_batch_get(client, keys, kPartition, {"response"});
  } catch (const tq::Error& error) {
    std::cout << "  and of the response: " << error.what() << "\n";
  }
}

void run(const char* directory) {
  // Nodes::read finds the addresses that `tq up` wrote. Threads may share one client.
  tq::TransferQueueClient client(tq::Nodes::read(directory));
  put_samples(client);
  update_samples(client);

  std::cout << "\nStep 5: list keys and tags with kv_list\n";
  const std::vector<std::string> keys = list_samples(client);
  get_samples(client, keys);

  std::cout << "\nStep 8: clear two samples with kv_clear\n";
  tq::kv_clear(client, {keys[0], keys[1]}, kPartition);
  std::cout << "  cleared " << keys[0] << " and " << keys[1] << "; what is left:\n";
  list_samples(client);

  client.clear_partition(kPartition);  // so that the story can be told again
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: tutorial_02_kv_interface DIR, where 'tq up --info-dir DIR' runs\n";
    return 2;
  }
  try {
    run(argv[1]);
  } catch (const std::exception& error) {
    std::cerr << "tutorial_02_kv_interface: " << error.what() << "\n";
    return 1;
  }
  std::cout
      << "\nThe end. Samples have keys and fields, fields come one by one, tags say how far a "
         "sample is.\n";
  return 0;
}
