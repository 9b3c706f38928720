// SPDX-License-Identifier: Apache-2.0
// The examples of transfer_queue/stream.h, nodes.h and checkpoint.h, compiled and run by a test.
// usage: stream
#include "transfer_queue/stream.h"

#include <filesystem>

#include "check.h"
#include "transfer_queue/checkpoint.h"
#include "transfer_queue/nodes.h"

int main() {
  const std::filesystem::path root = std::filesystem::temp_directory_path() / "tq_example_stream";
  std::filesystem::create_directories(root);

  //! [stream]
  tq::LocalNodesOptions local;
  local.checkpoint_root = root;
  tq::LocalNodes nodes(std::move(local));
  tq::TransferQueueClient client(nodes.addresses());
  client.put({{"text", tq::Column::values({"a", "b", "c", "d"})}}, "train");

  tq::StreamingDatasetOptions options;
  options.batch_size = 2;
  options.micro_batch_size = 2;
  options.data_fields = {"text"};
  options.partition_id = "train";
  options.task_name = "actor";
  options.should_check_consumption_status = true;  // ends when all is consumed
  tq::StreamingDataLoader loader(tq::StreamingDataset(nodes.addresses(), options));
  size_t rows = 0;
  for (const tq::StreamedBatch& batch : loader) rows += batch.data.size();
  //! [stream]
  check(rows == 4, "each sample once");

  //! [checkpoint]
  tq::save_checkpoint(client, root / "step-1", {.metadata = {{"step", 1}}});
  client.clear_partition("train");
  const tq::Map metadata = tq::load_checkpoint(client, root / "step-1");
  //! [checkpoint]
  check(metadata.size() == 1, "the metadata is back");
  check(client.get_partition_list().size() == 1, "the partition is back");
  std::filesystem::remove_all(root);
}
