// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "transfer_queue/stream.h"

namespace tq::test {

/// An int64 column of these numbers.
inline Column column_of(const std::vector<int64_t>& numbers) {
  const std::string_view bytes(reinterpret_cast<const char*>(numbers.data()), numbers.size() * 8);
  return Column::dense(
      {DType::int64, {static_cast<int64_t>(numbers.size())}, Slice::copy_of(bytes)});
}

inline std::vector<int64_t> numbers_of(const Batch& batch) {
  const Tensor tensor = batch.at("x").to_dense().tensor();
  std::vector<int64_t> numbers(tensor.data.size / 8);
  if (!numbers.empty()) std::memcpy(numbers.data(), tensor.data.data, tensor.data.size);
  return numbers;
}

/// first, first + 1, ...
inline std::vector<int64_t> counted(size_t count, int64_t first = 0) {
  std::vector<int64_t> numbers(count);
  for (int64_t& number : numbers) number = first++;
  return numbers;
}

/// New samples with the field x.
inline BatchMeta put(TransferQueueClient& client, const std::vector<int64_t>& numbers,
                     const std::string& partition = "train") {
  return client.put({{"x", column_of(numbers)}}, partition);
}

/// What the tests read: field x of partition train, in batches of 4 and parts of 2.
inline StreamingDatasetOptions read_x(int64_t dp_rank = 0) {
  StreamingDatasetOptions options;
  options.batch_size = 4;
  options.micro_batch_size = 2;
  options.data_fields = {"x"};
  options.partition_id = "train";
  options.task_name = "task";
  options.dp_rank = dp_rank;
  options.should_check_consumption_status = true;
  return options;
}

/// What one epoch, or the rest of it, yields: the numbers of each micro-batch.
template <class Stream>
std::vector<std::vector<int64_t>> epoch_of(Stream& stream) {
  std::vector<std::vector<int64_t>> yielded;
  for (const auto& [batch, meta] : stream) yielded.push_back(numbers_of(batch));
  return yielded;
}

inline std::vector<int64_t> joined(const std::vector<std::vector<int64_t>>& parts) {
  std::vector<int64_t> all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace tq::test
