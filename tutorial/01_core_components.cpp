// SPDX-License-Identifier: Apache-2.0
// Tutorial 1: the core components, the same story as Python's tutorial/01_core_components.py.
//
// TransferQueue has three parts:
//
//   controller      knows which samples there are, which of their fields are produced, and who has
//                   consumed them; it never sees the data
//   storage units   hold the data: the row of a sample in each field
//   client          what your program uses; it talks to both
//
// Samples live in partitions, "train" and "val" say, which never meet. A sample has fields, which
// may come one by one, and a global index, which names it among all samples of all partitions.
//
// The nodes of this story run inside the program itself. In earnest they are processes of their
// own, on other machines perhaps (`tq up`), or Python's; the client does not care:
//
//   build/release/bin/tutorial_01_core_components
#include <torch/torch.h>

#include <iostream>
#include <string>
#include <vector>

#include "transfer_queue/client.h"
#include "transfer_queue/nodes.h"
#include "transfer_queue/torch.h"

namespace {

const std::string kPartition = "tutorial_partition_0";

std::string joined(const std::vector<int64_t>& numbers) {
  std::string line;
  for (const int64_t number : numbers) line += (line.empty() ? "" : ", ") + std::to_string(number);
  return line;
}

std::string names_of(const tq::Batch& batch) {
  std::string line;
  for (const auto& [name, column] : batch.columns()) line += (line.empty() ? "" : ", ") + name;
  return line;
}

// The way of all data: put, get, clear.
void data_workflow(tq::TransferQueueClient& client) {
  std::cout << "\nStep 1: put four samples of two fields\n";
  const torch::Tensor input_ids = torch::arange(1, 13).reshape({4, 3});
  const torch::Tensor attention_mask = torch::ones_like(input_ids);
  // Row i of each column is sample i. The put registers new samples, stores their rows, and tells
  // the controller, in this order: nobody fetches a sample whose data is not there.
  client.put(
      {{"input_ids", tq::to_column(input_ids)}, {"attention_mask", tq::to_column(attention_mask)}},
      kPartition);
  std::cout << "  4 samples are in " << kPartition << "\n";

  std::cout << "\nStep 2: ask the controller for metadata of samples that are ready\n";
  // Ready means that all the fields named are produced. The task name says who asks: a task gets
  // each sample once. Metadata is small; it may travel to the process that needs the data.
  tq::GetMetaOptions task;
  task.task_name = "tutorial_task";
  const tq::BatchMeta meta = client.get_meta({"input_ids", "attention_mask"}, 4, kPartition, task);
  std::cout << "  metadata of " << meta.size() << " samples: " << joined(meta.global_indexes)
            << "\n";

  std::cout << "\nStep 3: get their data from the storage units\n";
  const tq::Batch data = client.get_data(meta, meta.field_names());
  std::cout << "  got the fields: " << names_of(data) << "\n";

  std::cout << "\nStep 4: compare it with what was put\n";
  // Samples that were put at once have ascending indexes, and get_data keeps the order of `meta`.
  const bool same = torch::equal(tq::to_torch(data.at("input_ids")), input_ids) &&
                    torch::equal(tq::to_torch(data.at("attention_mask")), attention_mask);
  if (!same) throw std::runtime_error("the data is not what was put");
  std::cout << "  the data is what was put\n";

  std::cout << "\nStep 5: clear the partition (clear_samples would clear some of it)\n";
  client.clear_partition(kPartition);
  std::cout << "  partitions left: " << client.get_partition_list().size() << "\n";
}

void storage() {
  std::cout
      << "\nWhere data may lie\n"
         "  Python's package can put other stores below its client: Yuanrong, Mooncake, Ray's.\n"
         "  The C++ client speaks to storage units (SimpleStorage there): C++ or Python ones,\n"
         "  in memory, as many as you start. More units share the load of one partition.\n";
}

}  // namespace

int main() {
  try {
    tq::LocalNodes nodes({.storage_units = 2});
    tq::TransferQueueClient client(nodes.addresses());
    std::cout << "1 controller and " << nodes.addresses().storage_units.size()
              << " storage units are running\n";
    data_workflow(client);
    storage();
  } catch (const std::exception& error) {
    std::cerr << "tutorial_01_core_components: " << error.what() << "\n";
    return 1;
  }
  std::cout << "\nThe end. The controller knows, the units hold, the client is what you use.\n";
  return 0;
}
