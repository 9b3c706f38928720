// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "transfer_queue/stream.h"

namespace tq::client {

/// Fetches the batches of one partition for a stream, with a client of its own, until it is
/// stopped. Thread-safe.
class BatchSource {
 public:
  /// `nodes` and `options` must outlive this.
  BatchSource(const Nodes& nodes, const StreamingDatasetOptions& options, std::string partition_id)
      : nodes_(nodes), options_(options), partition_id_(std::move(partition_id)) {}

  /// Joins the nodes, unless that was done already. Throws as TransferQueueClient does.
  void connect();

  /// A batch whose samples are known; its rows only when a user's function fetched them.
  struct Found {
    BatchMeta meta;
    std::optional<Batch> data;
  };
  /// Waits for a batch; nothing at the end of the epoch. Throws Error: kTimeout when patience ends.
  std::optional<Found> find(size_t batch_index);
  /// The rows of what was found.
  Batch get(const BatchMeta& meta);

  /// Ends calls that run, and each later one, with an Error. Does not block.
  void stop() { stop_.request_stop(); }
  bool is_stopped() const noexcept { return stop_.stop_requested(); }

 private:
  using Clock = std::chrono::steady_clock;

  TransferQueueClient& client();
  BatchRequest request(size_t batch_index, size_t batch_size) const;
  Found fetch(size_t batch_index, size_t batch_size, std::chrono::milliseconds wait);
  /// How many samples are left, if they are to be taken as a smaller batch.
  std::optional<size_t> left_over(const ConsumptionStatus& status);
  std::chrono::milliseconds within_patience(std::chrono::milliseconds wait,
                                            Clock::time_point started) const;
  /// Throws Error(kTimeout) when it is over.
  void check_patience(Clock::time_point started, size_t batch_index);
  /// Blocks until then, or until stopped.
  void pause(Clock::time_point until);

  const Nodes& nodes_;
  const StreamingDatasetOptions& options_;
  const std::string partition_id_;
  std::stop_source stop_;
  std::mutex mutex_;
  std::condition_variable_any never_;
  std::optional<TransferQueueClient> client_;
};

}  // namespace tq::client
