// SPDX-License-Identifier: Apache-2.0
// stream_producer NODES PARTITION FIRST COUNT: puts samples one by one, as a rollout worker does:
// `id`, two inputs `x` and what a model shall learn of them, `y`.
#include <cstdlib>
#include <iostream>

#include "transfer_queue/client.h"
#include "transfer_queue/torch.h"

namespace {

void produce(const std::string& nodes, const std::string& partition, int64_t first, int64_t count) {
  tq::TransferQueueClient client(tq::Nodes::read(nodes));
  for (int64_t id = first; id < first + count; ++id) {
    const auto a = static_cast<float>(id % 7 - 3) / 3;
    const auto b = static_cast<float>(id % 5 - 2) / 2;
    client.put({{"id", tq::to_column(at::full({1}, id, at::kLong))},
                {"x", tq::to_column(at::stack({at::full({1}, a), at::full({1}, b)}, 1))},
                {"y", tq::to_column(at::full({1, 1}, 2 * a - 3 * b + 0.5F))}},
               partition);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  try {
    produce(argv[1], argv[2], std::atoll(argv[3]), std::atoll(argv[4]));
  } catch (const std::exception& error) {
    std::cerr << "stream_producer: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
