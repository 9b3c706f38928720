// SPDX-License-Identifier: Apache-2.0
#include "client/batch_source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace tq::client {
namespace {

using std::chrono::milliseconds;

// How long one fetch waits at the controller. Nothing but data can end the wait for an endless
// stream. Another rank's fetch can end an epoch, of which a waiting fetch does not hear: so
// consumption is asked for now and then, less and less often.
constexpr milliseconds kWait{5'000};
constexpr milliseconds kEpochWait{50};
constexpr milliseconds kEpochWaitMax{500};

bool all_consumed(const ConsumptionStatus& status) {
  return !status.consumed.empty() &&
         std::count(status.consumed.begin(), status.consumed.end(), 1) ==
             static_cast<ptrdiff_t>(status.consumed.size());
}

size_t count_left(const ConsumptionStatus& status) {
  return static_cast<size_t>(std::count(status.consumed.begin(), status.consumed.end(), 0));
}

}  // namespace

void BatchSource::connect() { client(); }

TransferQueueClient& BatchSource::client() {
  const std::lock_guard lock(mutex_);
  if (!client_) {
    ClientOptions options = options_.client;
    options.stop = stop_.get_token();
    client_.emplace(nodes_, std::move(options));
  }
  return *client_;
}

BatchRequest BatchSource::request(size_t batch_index, size_t batch_size) const {
  BatchRequest request;
  request.data_fields = options_.data_fields;
  request.batch_size = batch_size;
  request.partition_id = partition_id_;
  request.batch_index = batch_index;
  request.form = options_.form;
  GetMetaOptions& get_meta = request.get_meta_options;
  get_meta.task_name = options_.task_name;
  get_meta.sampler = options_.sampler;
  get_meta.sampler_arguments = options_.sampler_arguments;
  get_meta.sampling_config = {{"dp_rank", options_.dp_rank},
                              {"task_name", options_.task_name},
                              {"batch_index", static_cast<int64_t>(batch_index)},
                              {"partition_id", partition_id_}};
  return request;
}

BatchSource::Found BatchSource::fetch(size_t batch_index, size_t batch_size, milliseconds wait) {
  BatchRequest wanted = request(batch_index, batch_size);
  wanted.get_meta_options.wait = wait;
  if (!options_.fetch_batch_fn) {
    return {
        client().get_meta(wanted.data_fields, batch_size, partition_id_, wanted.get_meta_options),
        std::nullopt};
  }
  StreamedBatch fetched = options_.fetch_batch_fn(client(), wanted);
  if (fetched.meta.size() != fetched.data.size()) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("fetch_batch_fn returned {} rows with the metadata of {} samples",
                            fetched.data.size(), fetched.meta.size()));
  }
  return {std::move(fetched.meta), std::move(fetched.data)};
}

std::optional<BatchSource::Found> BatchSource::find(size_t batch_index) {
  const auto started = Clock::now();
  const bool epochs = options_.should_check_consumption_status;
  milliseconds wait = epochs ? kEpochWait : kWait;
  size_t batch_size = options_.batch_size;
  for (bool over = false; true; wait = std::min(2 * wait, epochs ? kEpochWaitMax : kWait)) {
    const milliseconds this_wait = over ? milliseconds(0) : within_patience(wait, started);
    if (is_stopped()) throw Error(ErrorCode::kUnavailable, "the stream was closed");
    const auto asked = Clock::now();
    Found found = fetch(batch_index, batch_size, this_wait);
    if (found.meta.size() > 0) return found;
    if (over) return std::nullopt;
    if (epochs) {
      const ConsumptionStatus status =
          client().get_consumption_status(options_.task_name, partition_id_);
      // The last samples may have gone to a process of this rank, and so be this batch: the sampler
      // has it then. Hence one more look.
      over = all_consumed(status);
      if (over) continue;
      batch_size = left_over(status).value_or(options_.batch_size);
    }
    check_patience(started, batch_index);
    if (options_.fetch_batch_fn) pause(asked + this_wait);  // it need not wait by itself
  }
}

Batch BatchSource::get(const BatchMeta& meta) {
  return client().get_data(meta, options_.data_fields, options_.form);
}

std::optional<size_t> BatchSource::left_over(const ConsumptionStatus& status) {
  const size_t left = count_left(status);
  const bool last = options_.partial_last_batch && left > 0 && left < options_.batch_size &&
                    client().check_production_status(options_.data_fields, partition_id_);
  return last ? std::optional(left) : std::nullopt;
}

milliseconds BatchSource::within_patience(milliseconds wait, Clock::time_point started) const {
  if (!options_.patience) return wait;
  const auto left = std::chrono::ceil<milliseconds>(started + *options_.patience - Clock::now());
  return std::clamp(left, milliseconds(0), wait);
}

void BatchSource::check_patience(Clock::time_point started, size_t batch_index) {
  const auto waited = Clock::now() - started;
  if (!options_.patience || waited < *options_.patience) return;
  const ConsumptionStatus status =
      client().get_consumption_status(options_.task_name, partition_id_);
  const std::string there =
      status.global_indexes.empty()
          ? "there is no such partition, or it is empty"
          : fmt::format("the task has not consumed {} of the partition's {} samples",
                        count_left(status), status.global_indexes.size());
  throw Error(ErrorCode::kTimeout,
              fmt::format("task '{}' of dp_rank {} waited {:.1f} s for batch {} of partition '{}': "
                          "{} samples with the fields [{}] were wanted; {}",
                          options_.task_name, options_.dp_rank,
                          std::chrono::duration<double>(waited).count(), batch_index, partition_id_,
                          options_.batch_size, fmt::join(options_.data_fields, ", "), there));
}

void BatchSource::pause(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  never_.wait_until(lock, stop_.get_token(), until, [] { return false; });
}

}  // namespace tq::client
