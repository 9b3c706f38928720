// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "client/batch_source.h"
#include "transfer_queue/stream.h"

namespace tq::client {

/// What StreamingDataset and StreamingDataLoader are: a queue of batches in order, which the reader
/// fills itself, or threads ahead of it. Used by one reader; close() by any thread.
class Stream {
 public:
  /// Throws Error(kInvalidArgument) for options that cannot be, and as TransferQueueClient does.
  Stream(Nodes nodes, StreamingDatasetOptions options);
  ~Stream();

  /// From now on threads fetch, up to that many batches ahead of the reader. At most once.
  void prefetch(size_t threads, size_t batches_ahead);
  std::optional<StreamedBatch> next();
  void reset();
  void step(std::string partition_id);
  std::vector<StreamedBatch> buffer() const;
  void close();

 private:
  /// A batch whose samples are known. Without rows, it waits for somebody to fetch them.
  struct Entry {
    BatchMeta meta;
    std::optional<Batch> data;
    std::exception_ptr error;
    bool is_loading = false;
  };
  /// Something to do for one batch: find it, or get the rows of what was found.
  struct Task {
    std::shared_ptr<BatchSource> source;
    size_t batch_index;
    std::optional<BatchMeta> rows_of;
  };

  Entry* entry(size_t batch_index);
  size_t next_index() const { return base_ + entries_.size(); }
  /// Marks what it returns as being done.
  std::optional<Task> take_task();
  void perform(const Task& task, std::unique_lock<std::mutex>& lock);
  void find(const Task& task, std::unique_lock<std::mutex>& lock);
  void load(const Task& task, std::unique_lock<std::mutex>& lock);
  void work();
  void start_threads();

  /// Throws, or tells whether the reader is at the end of the epoch.
  bool is_end_told();
  void forget_what_was_told();
  void split(Entry& whole, std::unique_lock<std::mutex>& lock);
  void start_over();

  const Nodes nodes_;
  const StreamingDatasetOptions options_;
  size_t threads_wanted_ = 0;
  size_t batches_ahead_ = 1;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;
  std::string partition_id_;
  std::shared_ptr<BatchSource> source_;  // a new one for each partition; tasks of the old one end
  std::deque<Entry> entries_;            // batches base_, base_ + 1, ...
  size_t base_ = 0;
  size_t read_ = 0;                    // the batch that is read next
  std::deque<StreamedBatch> pending_;  // what is left of the one before
  bool is_finding_ = false;            // one at a time, so that batches come in order
  bool is_end_ = false;                // no batch next_index() in this epoch
  std::exception_ptr find_error_;      // of batch next_index()
  bool told_ = false;                  // the reader knows of the end, or of the error, at read_
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;  // of the user's own token
  std::vector<std::thread> threads_;  // last: they use all of the above
};

}  // namespace tq::client
