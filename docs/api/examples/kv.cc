// SPDX-License-Identifier: Apache-2.0
// The examples of transfer_queue/kv.h, compiled and run by a test. usage: kv NODES_FOLDER
#include "transfer_queue/kv.h"

#include <iostream>

#include "check.h"

int main(int, char** argv) {
  //! [join]
  // The folder holds the nodes' addresses: `tq up --units 2 --info-dir nodes`.
  tq::TransferQueueClient client(tq::Nodes::read(argv[1]));
  //! [join]

  //! [kv_put]
  // One sample: text, a number and a tensor of shape [3], without a batch dimension.
  const int32_t ids[] = {7, 8, 9};
  const tq::Tensor tensor{
      tq::DType::int32, {3}, tq::Slice::copy_of({reinterpret_cast<const char*>(ids), sizeof(ids)})};
  tq::kv_put(client, "prompt-0", "train", {{"text", "What is 6 x 7?"}, {"ids", tensor}},
             tq::Map{{"step", 1}});
  //! [kv_put]

  //! [kv_batch_put]
  // Row i of each column belongs to key i. A column of known keys may be put later by itself.
  const tq::KVBatchMeta stored =
      tq::kv_batch_put(client, {"prompt-1", "prompt-2"}, "train",
                       {{"text", tq::Column::values({"2 + 2?", "3 + 4?"})}});
  tq::kv_batch_put(client, stored.keys, "train", {{"score", tq::Column::values({0.5, 1.0})}});
  //! [kv_batch_put]

  //! [kv_batch_get]
  const tq::Batch got = tq::kv_batch_get(client, {"prompt-2", "prompt-1"}, "train", {"score"});
  const double* best = got.at("score").values()[0].get_if<double>();  // of prompt-2
  //! [kv_batch_get]
  check(best != nullptr && *best == 1.0, "prompt-2 has the score 1");

  //! [kv_list]
  for (const auto& [partition_id, entries] : tq::kv_list(client, "train")) {
    for (const auto& [key, tag] : entries) std::cout << partition_id << ": " << key << '\n';
  }
  //! [kv_list]

  //! [async]
  // Both run at once, each on a thread of the client; get() gives the result or throws.
  std::future<tq::Batch> texts = tq::async_kv_batch_get(client, stored.keys, "train", {"text"});
  std::future<tq::Batch> scores = tq::async_kv_batch_get(client, stored.keys, "train", {"score"});
  const size_t rows = texts.get().size() + scores.get().size();
  //! [async]
  check(rows == 4, "two rows each");

  //! [errors]
  try {
    tq::kv_batch_get(client, {"no such key"}, "train");
  } catch (const tq::Error& error) {
    if (error.code() != tq::ErrorCode::kNotFound) throw;
    std::cout << error.what() << '\n';  // a sentence that names the key
  }
  //! [errors]

  //! [kv_clear]
  tq::kv_clear(client, {"prompt-0", "prompt-1", "prompt-2"}, "train");
  //! [kv_clear]
  check(tq::kv_list(client, "train").at(0).second.empty(), "all keys are cleared");
}
