// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "transfer_queue/client.h"

/// A task's data as it is produced, batch by batch, read by a range-for:
///
///     tq::StreamingDatasetOptions options;
///     options.batch_size = 8;
///     options.micro_batch_size = 4;
///     options.data_fields = {"input_ids"};
///     options.partition_id = "train";
///     options.task_name = "update_actor";
///     options.dp_rank = 0;
///     tq::StreamingDataLoader loader(tq::StreamingDataset(tq::Nodes::read("nodes"), options));
///     for (const auto& [batch, meta] : loader) train(batch.at("input_ids"));
///
/// Names and meaning are Python's (transfer_queue.dataloader).
namespace tq {

namespace client {
class Stream;
}

/// Columns and the metadata of the same rows, in the same order: what a stream yields.
struct StreamedBatch {
  Batch data;      ///< the fields asked for
  BatchMeta meta;  ///< of its rows
};

/// One batch that is to be fetched.
struct BatchRequest {
  std::vector<std::string> data_fields;  ///< what to read
  size_t batch_size = 0;                 ///< samples
  std::string partition_id;              ///< where from
  size_t batch_index = 0;                ///< counted from 0 in each partition
  /// With the task, the sampler, how long to wait at the controller, and in sampling_config the
  /// entries dp_rank, task_name, batch_index and partition_id, as Python's has them.
  GetMetaOptions get_meta_options;
  GetForm form = GetForm::kContiguous;  ///< of the columns
};

/// How a batch is fetched (Python: fetch_batch_fn). Metadata of size 0 says that there is not
/// enough yet; it is called again then. Called on the thread that fetches, one call at a time. The
/// client is the stream's own.
using FetchBatchFn = std::function<StreamedBatch(TransferQueueClient&, const BatchRequest&)>;
/// What is made of a fetched batch (Python: process_batch_fn). Called on the reading thread, again
/// for each epoch; payloads are shared with the buffer and must not be written to.
using ProcessBatchFn =
    std::function<std::vector<StreamedBatch>(const StreamedBatch&, size_t micro_batch_size)>;

/// get_meta and, when there is something, get_data. Blocks and throws as these do.
StreamedBatch default_fetch_batch_fn(TransferQueueClient& client, const BatchRequest& request);
/// Parts of micro_batch_size rows, in order, each with the metadata of its rows; the last one is
/// shorter where they do not divide. Payloads are shared. Throws Error(kInvalidArgument) for a
/// micro_batch_size of 0 or one that exceeds the batch.
std::vector<StreamedBatch> chunk_batch_fn(const StreamedBatch& batch, size_t micro_batch_size);

/// What a stream reads, for whom, and how.
struct StreamingDatasetOptions {
  size_t batch_size = 0;                 ///< samples of one fetch, at least 1
  size_t micro_batch_size = 0;           ///< samples of what is yielded, 1 to batch_size
  std::vector<std::string> data_fields;  ///< at least one
  std::string partition_id;              ///< waited for when it is not there yet
  std::string task_name;                 ///< who consumes
  /// The data-parallel group. With RankAwareSampler all streams of one task and dp_rank see the
  /// same batches in the same order, and those of different ones share the samples out.
  int64_t dp_rank = 0;
  /// Off: the stream is endless and waits for more. On: it ends once the task has consumed every
  /// sample of the partition, by all ranks together, and this stream has yielded its own. Samples
  /// that the controller pre-allocated (--pre-alloc, TQ_PRE_ALLOC_SAMPLE_NUM) count from the start:
  /// without them the epoch ends as soon as the consumers have caught up with the producers.
  bool should_check_consumption_status = false;
  FetchBatchFn fetch_batch_fn;      ///< default_fetch_batch_fn when empty
  ProcessBatchFn process_batch_fn;  ///< chunk_batch_fn when empty

  // Not in Python:
  /// A sampler in place of the controller's own, and its arguments. Needs a C++ controller.
  std::string sampler;
  Map sampler_arguments;                ///< of that sampler
  GetForm form = GetForm::kContiguous;  ///< of the columns
  /// Fetched batches are kept for reset(). Off: one is let go when it was yielded, so that memory
  /// does not grow, and reset() fetches again.
  bool keep_batches = true;
  /// With should_check_consumption_status: once every sample is produced, the last ones are taken
  /// as a smaller batch. Off, as in Python: too few samples for a batch are waited for.
  bool partial_last_batch = false;
  /// How long a batch may be waited for, before it is Error(kTimeout); for ever when not given.
  std::optional<std::chrono::milliseconds> patience;
  ClientOptions client;  ///< its `stop` ends the stream as close() does
};

/// Reads a stream: an input iterator, for a range-for. `++` blocks until the next micro-batch is
/// there, or the end; it throws what the fetch threw.
class StreamIterator {
 public:
  ///@{
  /// What std::input_iterator asks for.
  using value_type = StreamedBatch;
  using difference_type = std::ptrdiff_t;
  using iterator_concept = std::input_iterator_tag;
  ///@}

  /// Blocks until the first micro-batch is there; the stream must outlive the iterator.
  explicit StreamIterator(client::Stream& stream) : stream_(&stream) { ++*this; }
  /// The caller may move from it.
  StreamedBatch& operator*() const noexcept { return *current_; }
  /// The same.
  StreamedBatch* operator->() const noexcept { return &*current_; }
  ///@{
  /// The next micro-batch.
  StreamIterator& operator++();
  void operator++(int) { ++*this; }
  ///@}
  friend bool operator==(const StreamIterator& it, std::default_sentinel_t) noexcept {
    return !it.current_.has_value();
  }

 private:
  client::Stream* stream_;
  mutable std::optional<StreamedBatch> current_;
};

/// A task's data of one partition, fetched by the thread that reads it, when it reads it.
///
/// Threads: used by one at a time; close() may be called by any. Blocking: begin(), next() and `++`
/// wait until a whole batch is produced. They wait at a C++ controller, which answers when the data
/// is there; a Python one is asked again and again, and must be in polling mode.
/// Errors: those of TransferQueueClient::get_meta and get_data, named as there; what follows an
/// error is the same batch, tried again. The batches before it were yielded.
///
/// A loop that breaks off and begins again goes on where it was. After the end of an epoch begin()
/// looks for new samples, and ends again when there are none.
///
/// What was fetched is consumed for the controller, whether it was yielded or not.
class StreamingDataset {
 public:
  /// Joins the nodes with a client of its own. Throws Error(kInvalidArgument) for options that
  /// cannot be, and as the client does.
  StreamingDataset(Nodes nodes, StreamingDatasetOptions options);
  /// Ends as close() does.
  ~StreamingDataset();
  ///@{
  /// Iterators stay valid. What was moved from can only be destroyed or assigned to.
  StreamingDataset(StreamingDataset&&) noexcept;
  StreamingDataset& operator=(StreamingDataset&&) noexcept;
  ///@}

  /// Where the stream is now; blocks as next() does.
  StreamIterator begin() { return StreamIterator(*stream_); }
  /// The end of the epoch.
  std::default_sentinel_t end() const noexcept { return {}; }
  /// The next micro-batch; nothing at the end of the epoch, and after close().
  std::optional<StreamedBatch> next();

  /// Back to the first batch: the kept batches are yielded again, then new ones, if there are any
  /// for this task. Without keep_batches all are fetched again, by their batch_index:
  /// RankAwareSampler keeps what it gave a rank; with another sampler call reset_consumption first.
  /// Does not block.
  void reset();
  /// The first batch of another partition, which need not be there yet; what was kept or fetched
  /// of the old one is let go. Does not block.
  void step(std::string partition_id);
  /// The kept batches, whole, in the order in which they were fetched (Python: buffer).
  std::vector<StreamedBatch> buffer() const;
  /// Ends the stream: a next() that waits returns nothing, at once, and so does each later one.
  /// Thread-safe, does not block.
  void close();

 private:
  friend class StreamingDataLoader;
  std::unique_ptr<client::Stream> stream_;
};

/// How far a loader runs ahead.
struct StreamingDataLoaderOptions {
  /// Threads that fetch. Batches are asked for in order, one after the other; their rows are
  /// received at once. At least 1.
  size_t num_workers = 1;
  /// Batches that each of them fetches ahead of the reader, at least 1. (In all: their product.)
  size_t prefetch_factor = 2;
};

/// The same data, fetched ahead by threads in the background, in the same order. They begin with
/// the first begin() or next(), and end with the loader: its destructor waits for no data and joins
/// them all. Threads, blocking and errors of the reader are StreamingDataset's; a failed fetch
/// comes out of the iterator when the batches before it were read, and is tried again after that.
class StreamingDataLoader {
 public:
  /// Throws Error(kInvalidArgument) for options that cannot be.
  explicit StreamingDataLoader(StreamingDataset dataset, StreamingDataLoaderOptions options = {});

  ///@{
  /// As StreamingDataset's.
  StreamIterator begin() { return dataset_.begin(); }
  std::default_sentinel_t end() const noexcept { return {}; }
  std::optional<StreamedBatch> next() { return dataset_.next(); }
  void reset() { dataset_.reset(); }
  void step(std::string partition_id) { dataset_.step(std::move(partition_id)); }
  void close() { dataset_.close(); }
  ///@}
  /// Those that were fetched ahead are among them.
  std::vector<StreamedBatch> get_buffer() const { return dataset_.buffer(); }

 private:
  StreamingDataset dataset_;
};

}  // namespace tq
