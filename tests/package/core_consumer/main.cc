// SPDX-License-Identifier: Apache-2.0
#include <transfer_queue/kv.h>

#include <iostream>

int main(int, char** argv) try {
  tq::TransferQueueClient client(tq::Nodes::read(argv[1]));
  const tq::Tensor ids{tq::DType::int8, {2, 3}, tq::Slice::own("abcdef")};
  tq::kv_batch_put(client, {"a", "b"}, "train",
                   {{"ids", tq::Column::dense(ids)}, {"note", tq::Column::values({"x", "y"})}});
  const tq::Batch got = tq::kv_batch_get(client, {"b", "a"}, "train");
  std::cout << got.at("ids").to_dense().tensor().data.view() << " "
            << *got.at("note").values()[0].get_if<std::string>() << std::endl;
} catch (const tq::Error& error) {
  std::cerr << error.what() << std::endl;
  return 1;
}
