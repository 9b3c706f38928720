// SPDX-License-Identifier: Apache-2.0
#include <torch/torch.h>
#include <transfer_queue/kv.h>
#include <transfer_queue/torch.h>

#include <iostream>

int main(int, char** argv) try {
  tq::TransferQueueClient client(tq::Nodes::read(argv[1]));
  const torch::Tensor ids = torch::arange(6).reshape({2, 3});
  tq::kv_batch_put(client, {"a", "b"}, "train", {{"ids", tq::to_column(ids)}});
  const tq::Batch got = tq::kv_batch_get(client, {"b", "a"}, "train");
  const bool equal = torch::equal(tq::to_torch(got.at("ids")), ids.flip(0));
  std::cout << (equal ? "equal" : "different") << std::endl;
} catch (const tq::Error& error) {
  std::cerr << error.what() << std::endl;
  return 1;
}
