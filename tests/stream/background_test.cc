// SPDX-License-Identifier: Apache-2.0
// The threads of a StreamingDataLoader: how far ahead they fetch, where their errors come out, and
// that nothing is left of them.
#include <atomic>
#include <future>
#include <stop_token>
#include <thread>

#include "stream/samples.h"
#include "support/catch.h"
#include "support/own_threads.h"
#include "support/up_nodes.h"

namespace tq::test {
namespace {

using Catch::Matchers::Contains;

// A fetch that says when it begins, then waits at the controller for longer than any test, and
// keeps what ended it.
struct LongFetch {
  std::promise<void> began;
  std::string ended_by = "data";

  FetchBatchFn function() {
    return [this](TransferQueueClient& client, BatchRequest request) {
      request.get_meta_options.wait = std::chrono::minutes(30);
      began.set_value();
      try {
        return default_fetch_batch_fn(client, request);
      } catch (const Error& error) {
        ended_by = error.what();
        throw;
      }
    };
  }
};

TEST_CASE("a loader ends while its threads wait at the controller, and leaves none behind") {
  UpNodes nodes(TQ_PROGRAM);
  const size_t before = own_threads_at_rest();
  LongFetch fetch;
  {
    StreamingDatasetOptions options = read_x();
    options.fetch_batch_fn = fetch.function();
    StreamingDataLoader loader(StreamingDataset(Nodes::read(nodes.folder()), options), {3, 2});
    std::future<std::optional<StreamedBatch>> reader =
        std::async(std::launch::async, [&] { return loader.next(); });
    fetch.began.get_future().wait();
    loader.close();
    CHECK_FALSE(reader.get().has_value());
    CHECK_FALSE(loader.next().has_value());
  }
  CHECK_THAT(fetch.ended_by, Contains("GET_META") && Contains("no longer waits"));
  // A thread that was joined may stand in the list for a moment; one that was left never goes.
  while (own_threads() > before) std::this_thread::yield();
}

TEST_CASE("a dataset ends by the stop of its client's options, too") {
  UpNodes nodes(TQ_PROGRAM);
  LongFetch fetch;
  std::stop_source stop;
  StreamingDatasetOptions options = read_x();
  options.fetch_batch_fn = fetch.function();
  options.client.stop = stop.get_token();
  StreamingDataset dataset(Nodes::read(nodes.folder()), options);
  auto reader = std::async(std::launch::async, [&] { return epoch_of(dataset); });
  fetch.began.get_future().wait();
  stop.request_stop();
  CHECK(reader.get().empty());
  CHECK_THAT(fetch.ended_by, Contains("no longer waits"));
}

TEST_CASE("a step ends what waits for the partition before") {
  UpNodes nodes(TQ_PROGRAM, {"--pre-alloc", "8"});
  const Nodes addresses = Nodes::read(nodes.folder());
  TransferQueueClient client(addresses);
  put(client, counted(4));
  LongFetch fetch;
  StreamingDatasetOptions options = read_x();
  options.fetch_batch_fn = [&, long_fetch = fetch.function()](TransferQueueClient& own,
                                                              const BatchRequest& request) {
    const bool has_none = request.partition_id == "train" && request.batch_index == 1;
    return has_none ? long_fetch(own, request) : default_fetch_batch_fn(own, request);
  };
  StreamingDataLoader loader(StreamingDataset(addresses, options));
  REQUIRE(loader.next().has_value());
  fetch.began.get_future().wait();  // by the only thread that there is
  loader.step("test");
  put(client, counted(8, 20), "test");
  CHECK(joined(epoch_of(loader)) == counted(8, 20));
  CHECK_THAT(fetch.ended_by, Contains("no longer waits"));
}

TEST_CASE("threads fetch no further ahead than they may") {
  constexpr size_t kWorkers = 2;
  constexpr size_t kFactor = 2;
  UpNodes nodes(TQ_PROGRAM, {"--pre-alloc", "80"});
  const Nodes addresses = Nodes::read(nodes.folder());
  TransferQueueClient client(addresses);
  put(client, counted(80));
  std::atomic<size_t> reading = 0;  // the batch that the reader is at
  std::atomic<bool> too_far = false;
  std::atomic<size_t> furthest = 0;
  StreamingDatasetOptions options = read_x();
  options.micro_batch_size = 4;
  options.fetch_batch_fn = [&](TransferQueueClient& own, const BatchRequest& request) {
    if (request.batch_index >= reading + kWorkers * kFactor) too_far = true;
    furthest = request.batch_index;
    furthest.notify_all();
    return default_fetch_batch_fn(own, request);
  };
  StreamingDataLoader loader(StreamingDataset(addresses, options), {kWorkers, kFactor});
  std::vector<int64_t> seen;
  while (true) {
    ++reading;
    const std::optional<StreamedBatch> batch = loader.next();
    if (!batch) break;
    for (const int64_t number : numbers_of(batch->data)) seen.push_back(number);
    // All that may be fetched ahead is being fetched before the reader comes back.
    const size_t ahead = std::min<size_t>(reading + kWorkers * kFactor - 1, 20);
    for (size_t now = furthest; now < ahead; now = furthest) furthest.wait(now);
  }
  CHECK(seen == counted(80));
  CHECK_FALSE(too_far);
}

TEST_CASE("an error of the background comes in its place, and nothing is lost by it") {
  const size_t workers = GENERATE(0, 1, 3);
  CAPTURE(workers);
  UpNodes nodes(TQ_PROGRAM, {"--pre-alloc", "16"});
  const Nodes addresses = Nodes::read(nodes.folder());
  TransferQueueClient client(addresses);
  put(client, counted(16));
  std::atomic<int> failures = 0;
  StreamingDatasetOptions options = read_x();
  options.fetch_batch_fn = [&](TransferQueueClient& own, const BatchRequest& request) {
    if (request.batch_index == 2 && failures++ < 2) throw std::runtime_error("batch 2 is bad");
    return default_fetch_batch_fn(own, request);
  };
  std::vector<int64_t> seen;
  const auto read = [&](auto& stream) {
    int errors = 0;
    while (true) {
      try {
        for (const auto& [batch, meta] : stream) {
          for (const int64_t number : numbers_of(batch)) seen.push_back(number);
        }
        break;
      } catch (const std::runtime_error& error) {
        CHECK_THAT(error.what(), Contains("batch 2 is bad"));
        CHECK(seen == counted(8));  // batches 0 and 1
        ++errors;
      }
    }
    CHECK(errors == 2);
    CHECK(seen == counted(16));
  };
  StreamingDataset dataset(addresses, options);
  if (workers == 0) {
    read(dataset);
  } else {
    StreamingDataLoader loader(std::move(dataset), {workers, 3});
    read(loader);
  }
}

TEST_CASE("what a user's function makes of a batch is yielded") {
  UpNodes nodes(TQ_PROGRAM, {"--pre-alloc", "8"});
  const Nodes addresses = Nodes::read(nodes.folder());
  TransferQueueClient client(addresses);
  put(client, counted(8));
  StreamingDatasetOptions options = read_x();
  options.process_batch_fn = [](const StreamedBatch& batch, size_t micro_batch_size) {
    CHECK(micro_batch_size == 2);
    std::vector<StreamedBatch> parts = chunk_batch_fn(batch, micro_batch_size);
    std::reverse(parts.begin(), parts.end());
    parts.pop_back();
    return parts;
  };
  StreamingDataLoader loader(StreamingDataset(addresses, options));
  CHECK(epoch_of(loader) == std::vector<std::vector<int64_t>>{{2, 3}, {6, 7}});

  options.task_name = "other";
  options.fetch_batch_fn = [](TransferQueueClient& own, const BatchRequest& request) {
    StreamedBatch batch = default_fetch_batch_fn(own, request);
    if (batch.meta.size() > 0) batch.data = batch.data.slice(0, 1);
    return batch;
  };
  StreamingDataset short_of_rows(addresses, options);
  CHECK_THROWS_WITH(short_of_rows.next(),
                    Contains("fetch_batch_fn") && Contains("1 rows") && Contains("4 samples"));
}

TEST_CASE("a loader without threads or without room is refused") {
  UpNodes nodes(TQ_PROGRAM);
  const Nodes addresses = Nodes::read(nodes.folder());
  const auto load = [&](size_t workers, size_t factor) {
    StreamingDataLoader(StreamingDataset(addresses, read_x()), {workers, factor});
  };
  CHECK_THROWS_WITH(load(0, 1), Contains("num_workers must be at least 1"));
  CHECK_THROWS_WITH(load(1, 0), Contains("prefetch_factor must be at least 1"));
}

}  // namespace
}  // namespace tq::test
