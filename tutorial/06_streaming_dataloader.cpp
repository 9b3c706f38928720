// SPDX-License-Identifier: Apache-2.0
// Tutorial 6: data for several trainers as it is produced, the same story as Python's
// tutorial/06_streaming_dataloader.py.
//
//   StreamingDataset      a task's data of one partition, batch by batch; a range-for reads it
//   StreamingDataLoader   the same, fetched ahead by threads in the background
//   RankAwareSampler      all ranks of one dp_rank see the same batches, in the same order; those
//   of
//                         different ones share the samples out
//
// Two workers generate 20 samples each; four update workers of two data-parallel ranks read five
// batches each. They are threads here, each with clients of its own; in a training run they are
// processes, on any machines. Start two storage units and run the story against them:
//
//   build/release/bin/tq up --units 2 --info-dir nodes &
//   build/release/bin/tutorial_06_streaming_dataloader nodes
#include <torch/torch.h>

#include <future>
#include <iostream>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include "transfer_queue/stream.h"
#include "transfer_queue/torch.h"

namespace {

const std::string kPartition = "train";

std::mutex speaking;  // held for a whole line, for several workers talk at once

template <class... Parts>
void say(const Parts&... parts) {
  const std::lock_guard lock(speaking);
  (std::cout << ... << parts) << std::endl;
}

std::string text(const std::vector<int64_t>& numbers) {
  std::ostringstream list;
  for (const int64_t number : numbers) list << (list.tellp() == 0 ? "" : ", ") << number;
  return "[" + list.str() + "]";
}

void generate(const tq::Nodes& nodes, int rank_id, int num_samples) {
  tq::TransferQueueClient client(nodes);
  for (int i = 0; i < num_samples; ++i) {
    const int64_t seq_id = i + rank_id * 10'000;  // unique over all workers
    say("[Generate Worker@", rank_id, "]: Putting sample ", seq_id);
    // Without keys: the controller gives each row a global index.
    client.put({{"input_ids", tq::to_column(torch::full({1, 16}, seq_id, torch::kLong))},
                {"meta_idx", tq::to_column(torch::tensor({seq_id}))}},
               kPartition);
  }
  say("[Generate Worker@", rank_id, "]: Complete");
}

struct Consumed {
  int dp_rank;
  std::vector<int64_t> ids;
};

Consumed update(const tq::Nodes& nodes, int rank_id, int dp_rank, int max_steps) {
  tq::StreamingDatasetOptions options;
  options.batch_size = 2;              // samples of one fetch
  options.micro_batch_size = 2;        // of what the loop sees: parts of a batch, or all of it
  options.data_fields = {"meta_idx"};  // one of the two; nothing else is sent
  options.partition_id = kPartition;
  options.task_name = "update_task";
  options.dp_rank = dp_rank;
  // An endless stream, which the loop breaks off. With true it ends once all samples are consumed;
  // then start the controller with --pre-alloc, so that it knows from the beginning how many those
  // are.
  options.should_check_consumption_status = false;
  // Leave this out where `tq up --sampler RankAwareSampler` runs.
  options.sampler = "RankAwareSampler";

  // Two threads, each two batches ahead of the loop.
  tq::StreamingDataLoader loader(tq::StreamingDataset(nodes, options),
                                 {.num_workers = 2, .prefetch_factor = 2});
  Consumed consumed{dp_rank, {}};
  int step = 0;
  for (const auto& [batch, meta] : loader) {
    const torch::Tensor column = tq::to_torch(batch.at("meta_idx"));
    const auto* first = column.data_ptr<int64_t>();
    const std::vector<int64_t> ids(first, first + column.numel());
    say("[Update Worker@", rank_id, "]: dp_rank ", dp_rank, " retrieved samples: ", text(ids));
    consumed.ids.insert(consumed.ids.end(), ids.begin(), ids.end());
    if (++step >= max_steps) break;
  }
  say("[Update Worker@", rank_id, "] Completed ", step, " steps, consumed ", consumed.ids.size(),
      " samples");
  return consumed;  // the loader's threads end here, though they wait for more
}

void run(const std::string& directory) {
  const tq::Nodes nodes = tq::Nodes::read(directory);

  say("Step 1: two workers generate samples");
  std::vector<std::future<void>> generators;
  for (int rank_id = 0; rank_id < 2; ++rank_id) {
    generators.push_back(std::async(std::launch::async, generate, nodes, rank_id, 20));
  }

  say("Step 2: four workers of two data-parallel ranks read them meanwhile");
  const std::vector<int> dp_ranks = {0, 0, 1, 1};
  std::vector<std::future<Consumed>> trainers;
  for (int rank_id = 0; rank_id < 4; ++rank_id) {
    const int dp_rank = dp_ranks[static_cast<size_t>(rank_id)];
    trainers.push_back(std::async(std::launch::async, update, nodes, rank_id, dp_rank, 5));
  }

  for (auto& generator : generators) generator.get();
  std::vector<Consumed> results;
  for (auto& trainer : trainers) results.push_back(trainer.get());
  std::cout << "\nStep 3: what each worker consumed\n";
  for (const Consumed& result : results) {
    std::cout << "  DP Rank " << result.dp_rank << ": consumed " << result.ids.size()
              << " samples: " << text(result.ids) << "\n";
  }
  tq::TransferQueueClient(nodes).clear_partition(kPartition);  // so that it can be told again
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: tutorial_06_streaming_dataloader DIR, where 'tq up --info-dir DIR' runs\n";
    return 2;
  }
  try {
    run(argv[1]);
  } catch (const std::exception& error) {
    std::cerr << "tutorial_06_streaming_dataloader: " << error.what() << "\n";
    return 1;
  }
  std::cout << "\nThe end. A stream is a loop; ranks of one number see the same of it.\n";
  return 0;
}
