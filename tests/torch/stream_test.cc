// SPDX-License-Identifier: Apache-2.0
// A model is trained from a stream that two processes produce, as a data-parallel trainer does it.
#include <sys/wait.h>
#include <torch/torch.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "transfer_queue/stream.h"
#include "transfer_queue/torch.h"
#undef CHECK  // libtorch's own
#include "support/catch.h"
#include "support/up_nodes.h"

namespace tq::test {
namespace {

constexpr int64_t kSamples = 96;
constexpr size_t kRanks = 2;

/// A process that puts half of the samples; ends before the nodes do.
class Producer {
 public:
  Producer(const std::filesystem::path& nodes, int64_t first, int64_t count) {
    const std::string from = std::to_string(first);
    const std::string many = std::to_string(count);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::execl(TQ_STREAM_PRODUCER, TQ_STREAM_PRODUCER, nodes.c_str(), "train", from.c_str(),
              many.c_str(), nullptr);
      ::_exit(127);
    }
  }
  ~Producer() { wait(); }
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  /// Its exit status, or -1 where a signal ended it.
  int wait() {
    int status = 0;
    if (pid_ > 0 && ::waitpid(pid_, &status, 0) == pid_) {
      exit_status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    pid_ = -1;
    return exit_status_;
  }

 private:
  pid_t pid_ = -1;
  int exit_status_ = -1;
};

StreamingDatasetOptions of_rank(int64_t dp_rank) {
  StreamingDatasetOptions options;
  options.batch_size = 8;
  options.micro_batch_size = 4;
  options.data_fields = {"id", "x", "y"};
  options.partition_id = "train";
  options.task_name = "update_actor";
  options.dp_rank = dp_rank;
  options.should_check_consumption_status = true;
  return options;
}

/// What one epoch saw.
struct Epoch {
  std::vector<std::vector<int64_t>> ids{kRanks};  // of each rank, in order
  double loss = 0;                                // mean of the samples
};

/// One epoch of all ranks: gradients of their micro-batches are added up, then one step is made.
Epoch train(std::vector<StreamingDataLoader>& loaders, torch::nn::Linear& model,
            torch::optim::SGD& optimizer) {
  Epoch epoch;
  bool more = true;
  while (more) {
    more = false;
    optimizer.zero_grad();
    for (size_t rank = 0; rank < kRanks; ++rank) {
      const std::optional<StreamedBatch> batch = loaders[rank].next();
      if (!batch) continue;
      more = true;
      const at::Tensor ids = to_torch(batch->data.at("id"));
      REQUIRE(ids.numel() == static_cast<int64_t>(batch->meta.size()));
      const auto* id = ids.data_ptr<int64_t>();
      epoch.ids[rank].insert(epoch.ids[rank].end(), id, id + ids.numel());
      const at::Tensor loss =
          torch::mse_loss(model(to_torch(batch->data.at("x"))), to_torch(batch->data.at("y")));
      loss.backward();
      epoch.loss += loss.item<double>() * static_cast<double>(ids.numel()) / kSamples;
    }
    optimizer.step();
  }
  return epoch;
}

TEST_CASE("two producers, two ranks, two epochs: each sample once by rank, and the model learns") {
  UpNodes nodes(TQ_PROGRAM,
                {"--sampler", "RankAwareSampler", "--pre-alloc", std::to_string(kSamples)});
  std::vector<StreamingDataLoader> loaders;
  for (size_t rank = 0; rank < kRanks; ++rank) {
    loaders.emplace_back(
        StreamingDataset(Nodes::read(nodes.folder()), of_rank(static_cast<int64_t>(rank))),
        StreamingDataLoaderOptions{2, 1});
  }
  Producer first(nodes.folder(), 0, kSamples / 2);
  Producer second(nodes.folder(), kSamples / 2, kSamples / 2);

  torch::manual_seed(1);
  torch::nn::Linear model(2, 1);
  torch::optim::SGD optimizer(model->parameters(), 0.2);
  const Epoch one = train(loaders, model, optimizer);
  CHECK(first.wait() == 0);
  CHECK(second.wait() == 0);
  std::vector<int64_t> all;
  for (const auto& ids : one.ids) {
    CHECK_FALSE(ids.empty());
    all.insert(all.end(), ids.begin(), ids.end());
  }
  std::sort(all.begin(), all.end());
  REQUIRE(all.size() == kSamples);
  for (int64_t id = 0; id < kSamples; ++id) CHECK(all[static_cast<size_t>(id)] == id);

  for (StreamingDataLoader& loader : loaders) loader.reset();
  const Epoch two = train(loaders, model, optimizer);
  CHECK(two.ids == one.ids);
  CAPTURE(one.loss, two.loss);
  CHECK(two.loss < one.loss / 10);
  const at::Tensor weight = model->weight.detach().reshape({2});
  CHECK(torch::allclose(weight, torch::tensor({2.0F, -3.0F}), 0, 0.1));
}

}  // namespace
}  // namespace tq::test
