// SPDX-License-Identifier: Apache-2.0
#include "client/stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tq::client {
namespace {

void require(bool holds, const std::string& sentence) {
  if (!holds) throw Error(ErrorCode::kInvalidArgument, sentence);
}

StreamingDatasetOptions checked(StreamingDatasetOptions options) {
  require(options.batch_size > 0, "batch_size must be at least 1, got 0");
  require(options.micro_batch_size > 0, "micro_batch_size must be at least 1, got 0");
  require(options.micro_batch_size <= options.batch_size,
          fmt::format("micro_batch_size {} exceeds batch_size {}", options.micro_batch_size,
                      options.batch_size));
  require(!options.data_fields.empty(), "data_fields must name at least one field");
  require(!options.task_name.empty(), "task_name must not be empty");
  require(options.dp_rank >= 0,
          fmt::format("dp_rank must not be negative, got {}", options.dp_rank));
  require(!options.partial_last_batch || options.should_check_consumption_status,
          "partial_last_batch needs should_check_consumption_status, for an endless stream has no "
          "last batch");
  return options;
}

}  // namespace

Stream::Stream(Nodes nodes, StreamingDatasetOptions options)
    : nodes_(std::move(nodes)),
      options_(checked(std::move(options))),
      partition_id_(options_.partition_id),
      source_(std::make_shared<BatchSource>(nodes_, options_, partition_id_)) {
  source_->connect();
  on_stop_.emplace(options_.client.stop, [this] { close(); });
}

Stream::~Stream() {
  close();
  for (std::thread& thread : threads_) thread.join();
}

void Stream::prefetch(size_t threads, size_t batches_ahead) {
  require(threads > 0, "num_workers must be at least 1, got 0; a StreamingDataset has no threads");
  require(batches_ahead > 0, "prefetch_factor must be at least 1, got 0");
  const std::lock_guard lock(mutex_);
  threads_wanted_ = threads;
  batches_ahead_ = batches_ahead;
}

Stream::Entry* Stream::entry(size_t batch_index) {
  if (batch_index < base_ || batch_index >= next_index()) return nullptr;
  return &entries_[batch_index - base_];
}

std::optional<Stream::Task> Stream::take_task() {
  const size_t until = read_ + batches_ahead_;
  for (size_t i = read_; i < std::min(until, next_index()); ++i) {
    Entry& known = *entry(i);
    if (known.data || known.error || known.is_loading) continue;
    known.is_loading = true;
    return Task{source_, i, known.meta};
  }
  if (is_finding_ || is_end_ || find_error_ || next_index() >= until) return std::nullopt;
  is_finding_ = true;
  return Task{source_, next_index(), std::nullopt};
}

void Stream::perform(const Task& task, std::unique_lock<std::mutex>& lock) {
  if (task.rows_of) {
    load(task, lock);
  } else {
    find(task, lock);
  }
  changed_.notify_all();
}

void Stream::find(const Task& task, std::unique_lock<std::mutex>& lock) {
  std::optional<BatchSource::Found> found;
  std::exception_ptr error;
  lock.unlock();
  try {
    found = task.source->find(task.batch_index);
  } catch (...) {
    error = std::current_exception();
  }
  lock.lock();
  if (task.source != source_) return;  // the reader is at another partition since
  is_finding_ = false;
  find_error_ = error;
  is_end_ = !found && !error;
  if (found) entries_.push_back({std::move(found->meta), std::move(found->data), nullptr, false});
}

void Stream::load(const Task& task, std::unique_lock<std::mutex>& lock) {
  std::optional<Batch> data;
  std::exception_ptr error;
  lock.unlock();
  try {
    data = task.source->get(*task.rows_of);
  } catch (...) {
    error = std::current_exception();
  }
  lock.lock();
  if (task.source != source_) return;
  Entry& loaded = *entry(task.batch_index);
  loaded.is_loading = false;
  loaded.data = std::move(data);
  loaded.error = error;
}

void Stream::work() {
  std::unique_lock lock(mutex_);
  while (!closed_) {
    if (const std::optional<Task> task = take_task()) {
      perform(*task, lock);
    } else {
      changed_.wait(lock);
    }
  }
}

void Stream::start_threads() {
  while (threads_.size() < threads_wanted_) threads_.emplace_back([this] { work(); });
}

bool Stream::is_end_told() {
  Entry* known = entry(read_);
  const std::exception_ptr error = known != nullptr ? known->error : find_error_;
  told_ = error != nullptr || (known == nullptr && is_end_);
  if (error) std::rethrow_exception(error);
  return told_;
}

// Told once, it is tried again: but only when the reader comes back, for much may have changed
// then.
void Stream::forget_what_was_told() {
  if (!std::exchange(told_, false)) return;
  is_end_ = false;
  find_error_ = nullptr;
  if (Entry* known = entry(read_)) known->error = nullptr;
  changed_.notify_all();
}

std::optional<StreamedBatch> Stream::next() {
  std::unique_lock lock(mutex_);
  forget_what_was_told();
  start_threads();
  while (!closed_) {
    if (!pending_.empty()) {
      StreamedBatch first = std::move(pending_.front());
      pending_.pop_front();
      return first;
    }
    Entry* whole = entry(read_);
    if (whole != nullptr && whole->data) {
      split(*whole, lock);
      continue;
    }
    if (is_end_told()) break;
    if (threads_wanted_ > 0) {
      changed_.wait(lock);
    } else if (const std::optional<Task> task = take_task()) {
      perform(*task, lock);
    }
  }
  return std::nullopt;
}

void Stream::split(Entry& whole, std::unique_lock<std::mutex>& lock) {
  const StreamedBatch batch{*whole.data, whole.meta};
  const size_t rows = batch.meta.size();
  const bool is_last = options_.partial_last_batch && rows < options_.batch_size;
  const size_t micro_batch_size =
      is_last ? std::min(rows, options_.micro_batch_size) : options_.micro_batch_size;
  lock.unlock();  // a user's function may take its time
  std::vector<StreamedBatch> parts = options_.process_batch_fn
                                         ? options_.process_batch_fn(batch, micro_batch_size)
                                         : chunk_batch_fn(batch, micro_batch_size);
  lock.lock();
  for (StreamedBatch& part : parts) pending_.push_back(std::move(part));
  ++read_;
  if (!options_.keep_batches) {
    entries_.pop_front();
    ++base_;
  }
  changed_.notify_all();
}

void Stream::reset() {
  const std::lock_guard lock(mutex_);
  pending_.clear();
  if (options_.keep_batches) {
    forget_what_was_told();
    read_ = 0;
    is_end_ = false;
    changed_.notify_all();
  } else {
    start_over();
  }
}

void Stream::step(std::string partition_id) {
  const std::lock_guard lock(mutex_);
  partition_id_ = std::move(partition_id);
  start_over();
}

void Stream::start_over() {
  source_->stop();
  source_ = std::make_shared<BatchSource>(nodes_, options_, partition_id_);
  if (closed_) source_->stop();
  pending_.clear();
  entries_.clear();
  base_ = read_ = 0;
  is_finding_ = is_end_ = told_ = false;
  find_error_ = nullptr;
  changed_.notify_all();
}

std::vector<StreamedBatch> Stream::buffer() const {
  const std::lock_guard lock(mutex_);
  std::vector<StreamedBatch> kept;
  for (const Entry& entry : entries_) {
    if (entry.data) kept.push_back({*entry.data, entry.meta});
  }
  return kept;
}

void Stream::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  source_->stop();
  changed_.notify_all();
}

}  // namespace tq::client
