// SPDX-License-Identifier: Apache-2.0
#include <transfer_queue/kv.h>
#include <transfer_queue/nodes.h>

#include <iostream>

namespace {

// A policy that the library does not have: the last ready samples first.
class Newest : public tq::Sampler {
 public:
  tq::Sample sample(const tq::SampleRequest& request) override {
    const std::vector<int64_t> all = request.ready.first(request.ready.count());
    const std::vector<int64_t> last(all.rbegin(),
                                    all.rbegin() + static_cast<ptrdiff_t>(request.batch_size));
    return {last, last};
  }
};

}  // namespace

int main() try {
  tq::LocalNodes nodes({.storage_units = 3, .sampler = std::make_unique<Newest>()});
  tq::TransferQueueClient client(nodes.addresses());
  client.put({{"note", tq::Column::values({"a", "b", "c"})}}, "train");
  tq::GetMetaOptions task;
  task.task_name = "task";
  const tq::Batch got = client.get_data(client.get_meta({"note"}, 2, "train", task), {"note"});
  for (const tq::Value& note : got.at("note").values()) std::cout << *note.get_if<std::string>();
  std::cout << std::endl;
} catch (const tq::Error& error) {
  std::cerr << error.what() << std::endl;
  return 1;
}
