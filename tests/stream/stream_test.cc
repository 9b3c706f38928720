// SPDX-License-Identifier: Apache-2.0
// Streams on running nodes: what is yielded, by whom, until when.
#include "transfer_queue/stream.h"

#include <algorithm>
#include <future>
#include <iterator>

#include "stream/samples.h"
#include "support/catch.h"
#include "support/up_nodes.h"

namespace tq::test {
namespace {

using Catch::Matchers::Contains;
using Parts = std::vector<std::vector<int64_t>>;

static_assert(std::input_iterator<StreamIterator>);
static_assert(std::sentinel_for<std::default_sentinel_t, StreamIterator>);

// Controllers whose epochs are of 8 samples.
std::vector<std::string> epochs_of_8(const char* sampler, bool polling) {
  std::vector<std::string> flags = {"--pre-alloc", "8", "--sampler", sampler};
  if (polling) flags.push_back("--polling");
  return flags;
}

StreamedBatch batch_of(size_t rows) {
  StreamedBatch batch{{{"x", column_of(counted(rows))}}, {}};
  batch.meta.global_indexes = counted(rows, 100);
  batch.meta.partition_ids = {"p"};
  batch.meta.production_status.assign(rows, 1);
  batch.meta.custom_meta.resize(rows);
  batch.meta.custom_backend_meta.resize(rows);
  return batch;
}

TEST_CASE("a batch is cut into parts with the metadata of their rows") {
  const StreamedBatch batch = batch_of(7);
  for (size_t size = 1; size <= 7; ++size) {
    const std::vector<StreamedBatch> parts = chunk_batch_fn(batch, size);
    CHECK(parts.size() == (7 + size - 1) / size);
    int64_t row = 0;
    for (const StreamedBatch& part : parts) {
      const size_t rows = std::min(size, static_cast<size_t>(7 - row));
      CHECK(numbers_of(part.data) == counted(rows, row));
      CHECK(part.meta.global_indexes == counted(rows, 100 + row));
      row += static_cast<int64_t>(rows);
    }
    CHECK(row == 7);
  }
  CHECK_THROWS_WITH(chunk_batch_fn(batch, 0), Contains("must be 1 to 7") && Contains("got 0"));
  CHECK_THROWS_WITH(chunk_batch_fn(batch, 8), Contains("must be 1 to 7") && Contains("got 8"));
}

TEST_CASE("options that cannot be are refused before anything is asked") {
  const auto refusal = [](auto change) {
    StreamingDatasetOptions options = read_x();
    change(options);
    try {
      StreamingDataset(Nodes{}, options);
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::kInvalidArgument);
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  using O = StreamingDatasetOptions;
  CHECK_THAT(refusal([](O& o) { o.batch_size = 0; }), Contains("batch_size must be at least 1"));
  CHECK_THAT(refusal([](O& o) { o.micro_batch_size = 0; }), Contains("micro_batch_size"));
  CHECK_THAT(refusal([](O& o) { o.micro_batch_size = 5; }),
             Contains("micro_batch_size 5 exceeds batch_size 4"));
  CHECK_THAT(refusal([](O& o) { o.data_fields.clear(); }), Contains("data_fields"));
  CHECK_THAT(refusal([](O& o) { o.task_name.clear(); }), Contains("task_name"));
  CHECK_THAT(refusal([](O& o) { o.dp_rank = -1; }), Contains("dp_rank") && Contains("-1"));
  CHECK_THAT(refusal([](O& o) {
               o.should_check_consumption_status = false;
               o.partial_last_batch = true;
             }),
             Contains("partial_last_batch needs should_check_consumption_status"));
  CHECK_THAT(refusal([](O&) {}), Contains("at least one storage unit"));
}

TEST_CASE("an epoch ends, is replayed after a reset, and begins anew in another partition") {
  const bool polling = GENERATE(false, true);
  const bool in_background = GENERATE(false, true);
  CAPTURE(polling, in_background);
  UpNodes nodes(TQ_PROGRAM, epochs_of_8("RankAwareSampler", polling));
  const Nodes addresses = Nodes::read(nodes.folder());
  TransferQueueClient client(addresses);
  const BatchMeta meta = put(client, counted(8));
  put(client, counted(8, 50), "test");
  const Parts epoch = {{0, 1}, {2, 3}, {4, 5}, {6, 7}};

  const auto check = [&](auto& stream, const auto& buffer) {
    std::vector<int64_t> indexes;
    for (const auto& [batch, part] : stream) {
      CHECK(part.size() == batch.size());
      CHECK(part.partition_of(0) == "train");
      indexes.insert(indexes.end(), part.global_indexes.begin(), part.global_indexes.end());
    }
    CHECK(indexes == meta.global_indexes);
    CHECK(client.check_consumption_status("task", "train"));
    CHECK(epoch_of(stream).empty());  // nothing new
    REQUIRE(buffer().size() == 2);
    CHECK(numbers_of(buffer()[1].data) == counted(4, 4));
    stream.reset();
    CHECK(epoch_of(stream) == epoch);
    stream.step("test");
    for (const StreamedBatch& kept : buffer()) CHECK(kept.meta.partition_of(0) == "test");
    CHECK(joined(epoch_of(stream)) == counted(8, 50));
    stream.step("train");  // whose batches the sampler keeps for this rank
    CHECK(epoch_of(stream) == epoch);
  };
  StreamingDataset dataset(addresses, read_x());
  if (in_background) {
    StreamingDataLoader loader(std::move(dataset), {2, 1});
    check(loader, [&] { return loader.get_buffer(); });
  } else {
    check(dataset, [&] { return dataset.buffer(); });
  }
}

TEST_CASE("streams of one rank see the same, those of two share the samples out") {
  const bool polling = GENERATE(false, true);
  CAPTURE(polling);
  UpNodes nodes(TQ_PROGRAM, epochs_of_8("RankAwareSampler", polling));
  const Nodes addresses = Nodes::read(nodes.folder());
  TransferQueueClient client(addresses);
  put(client, counted(8));
  StreamingDataset zero(addresses, read_x(0));
  StreamingDataset one(addresses, read_x(1));
  std::optional<StreamedBatch> first = zero.next();
  const Parts of_one = epoch_of(one);
  CHECK(of_one == Parts{{4, 5}, {6, 7}});
  CHECK(epoch_of(zero) == Parts{{2, 3}});  // the rest
  // Everything is consumed when these begin: what their rank got is theirs, too.
  StreamingDataset late(addresses, read_x(0));
  CHECK(epoch_of(late) == Parts{{0, 1}, {2, 3}});
  StreamingDataLoader late_loader(StreamingDataset(addresses, read_x(1)));
  CHECK(epoch_of(late_loader) == of_one);
  StreamingDataset later(addresses, read_x(2));
  CHECK(epoch_of(later).empty());
}

TEST_CASE("the sampler may be the stream's own choice") {
  UpNodes nodes(TQ_PROGRAM, epochs_of_8("SequentialSampler", false));
  const Nodes addresses = Nodes::read(nodes.folder());
  TransferQueueClient client(addresses);
  put(client, counted(8));
  StreamingDatasetOptions options = read_x();
  options.sampler = "RankAwareSampler";
  StreamingDataset first(addresses, options);
  StreamingDataset second(addresses, options);
  const Parts epoch = epoch_of(first);
  CHECK(joined(epoch) == counted(8));
  CHECK(epoch_of(second) == epoch);
  StreamingDataset sequential(addresses, read_x());
  CHECK(epoch_of(sequential).empty());
}

TEST_CASE("a loop that breaks off loses nothing") {
  UpNodes nodes(TQ_PROGRAM, epochs_of_8("SequentialSampler", false));
  const Nodes addresses = Nodes::read(nodes.folder());
  TransferQueueClient client(addresses);
  put(client, counted(8));
  StreamingDataLoader loader(StreamingDataset(addresses, read_x()));
  std::vector<int64_t> seen;
  for (int loop = 0; loop < 5; ++loop) {
    for (const auto& [batch, meta] : loader) {
      for (const int64_t number : numbers_of(batch)) seen.push_back(number);
      break;
    }
  }
  CHECK(seen == counted(8));
}

TEST_CASE("without a buffer memory is let go and a reset fetches again") {
  UpNodes nodes(TQ_PROGRAM, epochs_of_8("RankAwareSampler", false));
  const Nodes addresses = Nodes::read(nodes.folder());
  TransferQueueClient client(addresses);
  put(client, counted(8));
  StreamingDatasetOptions options = read_x();
  options.keep_batches = false;
  StreamingDataLoader loader(StreamingDataset(addresses, options), {2, 2});
  std::weak_ptr<const void> payload;
  for (const auto& [batch, meta] : loader) {
    if (payload.expired()) payload = batch.at("x").tensor().data.owner;
  }
  CHECK(loader.get_buffer().empty());
  for (int epoch = 0; epoch < 3; ++epoch) {
    loader.reset();
    CHECK(joined(epoch_of(loader)) == counted(8));
  }
  CHECK(payload.expired());
  client.reset_consumption("train", "task");  // the sampler keeps its batches all the same
  loader.reset();
  CHECK(joined(epoch_of(loader)) == counted(8));
}

TEST_CASE("samples that are no whole batch are waited for, or taken as a smaller one") {
  UpNodes nodes(TQ_PROGRAM, {"--pre-alloc", "7"});
  const Nodes addresses = Nodes::read(nodes.folder());
  TransferQueueClient client(addresses);
  put(client, counted(7));
  StreamingDatasetOptions options = read_x();
  options.patience = std::chrono::milliseconds(1);
  StreamingDataset whole(addresses, options);
  CHECK(numbers_of(whole.next()->data) == counted(2));
  CHECK(numbers_of(whole.next()->data) == counted(2, 2));
  CHECK_THROWS_WITH(whole.next(), Contains("batch 1 of partition 'train'") &&
                                      Contains("not consumed 3 of the partition's 7 samples"));
  options.patience.reset();
  options.partial_last_batch = true;
  StreamingDataLoader with_rest(StreamingDataset(addresses, options));
  CHECK(epoch_of(with_rest) == Parts{{4, 5}, {6}});
}

TEST_CASE("more samples than were expected are one more epoch") {
  UpNodes nodes(TQ_PROGRAM, epochs_of_8("SequentialSampler", true));
  const Nodes addresses = Nodes::read(nodes.folder());
  TransferQueueClient client(addresses);
  StreamingDataLoader loader(StreamingDataset(addresses, read_x()), {3, 2});
  put(client, counted(8));
  CHECK(joined(epoch_of(loader)) == counted(8));
  put(client, counted(4, 8));
  CHECK(joined(epoch_of(loader)) == counted(4, 8));
  loader.reset();
  CHECK(joined(epoch_of(loader)) == counted(12));
}

TEST_CASE("a partition that is not there is waited for, with patience or without") {
  UpNodes nodes(TQ_PROGRAM, epochs_of_8("SequentialSampler", false));
  const Nodes addresses = Nodes::read(nodes.folder());
  TransferQueueClient client(addresses);
  StreamingDatasetOptions options = read_x();
  options.patience = std::chrono::milliseconds(1);
  StreamingDataset dataset(addresses, options);
  dataset.step("nowhere");
  try {
    dataset.next();
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kTimeout);
    CHECK_THAT(error.what(), Contains("batch 0 of partition 'nowhere'") && Contains("[x]") &&
                                 Contains("there is no such partition"));
  }
  StreamingDataLoader loader(StreamingDataset(addresses, read_x()));
  loader.step("later");
  auto first = std::async(std::launch::async, [&] { return loader.next(); });
  put(client, counted(8), "later");
  CHECK(numbers_of(first.get()->data) == counted(2));
  put(client, counted(8), "nowhere");
  CHECK(joined(epoch_of(dataset)) == counted(8));  // after the error it goes on
}

TEST_CASE("a batch is yielded as soon as it is produced") {
  UpNodes nodes(TQ_PROGRAM, epochs_of_8("SequentialSampler", false));
  const Nodes addresses = Nodes::read(nodes.folder());
  TransferQueueClient client(addresses);
  StreamingDataLoader loader(StreamingDataset(addresses, read_x()));
  std::vector<int64_t> seen;
  put(client, {0, 1, 2, 3});
  for (const auto& [batch, meta] : loader) {
    for (const int64_t number : numbers_of(batch)) seen.push_back(number);
    if (seen.size() == 4) put(client, {4, 5, 6, 7});
  }
  CHECK(seen == counted(8));
}

}  // namespace
}  // namespace tq::test
