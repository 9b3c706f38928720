// SPDX-License-Identifier: Apache-2.0
// The examples of transfer_queue/client.h and metadata.h, compiled and run by a test. usage: client
// NODES_FOLDER
#include "transfer_queue/client.h"

#include "check.h"

namespace {

tq::Column scores(const std::vector<float>& numbers) {
  const std::string bytes(reinterpret_cast<const char*>(numbers.data()), numbers.size() * 4);
  return tq::Column::dense(
      {tq::DType::float32, {static_cast<int64_t>(numbers.size())}, tq::Slice::own(bytes)});
}

}  // namespace

int main(int, char** argv) {
  //! [options]
  tq::ClientOptions options;
  options.client_id = "trainer-0";
  options.deadline = std::chrono::seconds(30);
  tq::TransferQueueClient client(tq::Nodes::read(argv[1]), options);
  //! [options]

  //! [put]
  // Four new samples of the partition, with one field; the metadata names them.
  const tq::BatchMeta put = client.put({{"score", scores({1, 2, 3, 4})}}, "train");
  //! [put]

  //! [fetch]
  // A task gets each sample once. Two ready samples for "actor", then the other two.
  tq::GetMetaOptions as_actor;
  as_actor.task_name = "actor";
  const tq::BatchMeta first = client.get_meta({"score"}, 2, "train", as_actor);
  const tq::BatchMeta second = client.get_meta({"score"}, 2, "train", as_actor);
  const tq::Batch rows = client.get_data(first, {"score"});
  //! [fetch]
  check(rows.size() == 2 && second.size() == 2, "two batches of two");

  //! [metadata]
  const tq::BatchMeta both = tq::BatchMeta::concat(std::vector{first, second});
  const std::vector<tq::BatchMeta> halves = both.chunk(2);
  const tq::BatchMeta last = both.select_samples(std::vector<size_t>{both.size() - 1});
  const std::optional<tq::Shape> shape = last.sample(0).shape("score");  // {}: a scalar a row
  //! [metadata]
  check(halves.size() == 2 && shape.has_value(), "two halves, and a shape");

  //! [status]
  const bool all_consumed = client.check_consumption_status("actor", "train");
  const tq::ProductionStatus produced = client.get_production_status({"score"}, "train");
  client.reset_consumption("train", "actor");  // the next epoch
  //! [status]
  check(all_consumed && produced.fields == 1, "all is consumed and produced");

  //! [clear]
  client.clear_samples(first);
  client.clear_partition("train");
  //! [clear]
  check(client.get_partition_list().empty(), "no partition is left");
  check(put.size() == 4, "four samples");
}
