// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "client/stream.h"
#include "transfer_queue/stream.h"

namespace tq {

StreamedBatch default_fetch_batch_fn(TransferQueueClient& client, const BatchRequest& request) {
  StreamedBatch batch;
  batch.meta = client.get_meta(request.data_fields, request.batch_size, request.partition_id,
                               request.get_meta_options);
  batch.data = client.get_data(batch.meta, request.data_fields, request.form);
  return batch;
}

std::vector<StreamedBatch> chunk_batch_fn(const StreamedBatch& batch, size_t micro_batch_size) {
  const size_t rows = batch.meta.size();
  if (micro_batch_size == 0 || micro_batch_size > rows) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("micro_batch_size must be 1 to {}, the samples of the batch; got {}",
                            rows, micro_batch_size));
  }
  std::vector<StreamedBatch> parts;
  for (size_t begin = 0; begin < rows; begin += micro_batch_size) {
    const size_t end = std::min(rows, begin + micro_batch_size);
    parts.push_back({batch.data.slice(begin, end), batch.meta.slice(begin, end)});
  }
  return parts;
}

StreamIterator& StreamIterator::operator++() {
  current_ = stream_->next();
  return *this;
}

StreamingDataset::StreamingDataset(Nodes nodes, StreamingDatasetOptions options)
    : stream_(std::make_unique<client::Stream>(std::move(nodes), std::move(options))) {}
StreamingDataset::~StreamingDataset() = default;
StreamingDataset::StreamingDataset(StreamingDataset&&) noexcept = default;
StreamingDataset& StreamingDataset::operator=(StreamingDataset&&) noexcept = default;

std::optional<StreamedBatch> StreamingDataset::next() { return stream_->next(); }
void StreamingDataset::reset() { stream_->reset(); }
void StreamingDataset::step(std::string partition_id) { stream_->step(std::move(partition_id)); }
std::vector<StreamedBatch> StreamingDataset::buffer() const { return stream_->buffer(); }
void StreamingDataset::close() { stream_->close(); }

StreamingDataLoader::StreamingDataLoader(StreamingDataset dataset,
                                         StreamingDataLoaderOptions options)
    : dataset_(std::move(dataset)) {
  dataset_.stream_->prefetch(options.num_workers, options.num_workers * options.prefetch_factor);
}

}  // namespace tq
