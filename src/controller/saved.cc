// SPDX-License-Identifier: Apache-2.0
#include "controller/saved.h"

#include <fmt/format.h>

#include <cstring>

#include "transfer_queue/error.h"

namespace tq::controller::saved {
namespace {

constexpr auto kWords = static_cast<int64_t>(IndexSet::kChunkWords);

template <class T>
wire::Value tensor(std::span<const T> values, wire::Shape shape) {
  static_assert(sizeof(T) == sizeof(int64_t));
  const std::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  return wire::Tensor{wire::DType::int64, std::move(shape), wire::Slice::copy_of(bytes)};
}

const wire::Tensor& int64_tensor(const wire::Value& value, const char* name, size_t dimensions) {
  const wire::Tensor* found = value.get_if<wire::Tensor>();
  if (found == nullptr || found->dtype != wire::DType::int64 || found->shape.size() != dimensions) {
    fail(fmt::format("'{}' is no int64 tensor of {} dimensions", name, dimensions));
  }
  return *found;
}

}  // namespace

void fail(const std::string& what) { throw Error(ErrorCode::kDecode, what); }

wire::Value numbers(std::span<const int64_t> values) {
  return tensor(values, {static_cast<int64_t>(values.size())});
}

std::vector<int64_t> to_numbers(const wire::Value& value, const char* name) {
  const wire::Tensor& found = int64_tensor(value, name, 1);
  std::vector<int64_t> values(found.data.size / sizeof(int64_t));
  if (!values.empty()) std::memcpy(values.data(), found.data.data, found.data.size);
  return values;
}

wire::Value index_set(const IndexSet& set) {
  std::vector<int64_t> ids;
  std::vector<uint64_t> words;
  for (const auto& [id, chunk] : set.chunks().entries()) {
    ids.push_back(id);
    words.insert(words.end(), chunk->words.begin(), chunk->words.end());
  }
  const auto chunks = static_cast<int64_t>(ids.size());
  return wire::Map{{"chunks", numbers(ids)},
                   {"words", tensor(std::span<const uint64_t>(words), {chunks, kWords})}};
}

IndexSet to_index_set(const wire::Value& value, const char* name, const wire::Limits& limits) {
  wire::Value map = value;
  const std::vector<int64_t> ids = to_numbers(at(map, "chunks"), name);
  const wire::Tensor& words = int64_tensor(at(map, "words"), name, 2);
  if (words.shape[0] != static_cast<int64_t>(ids.size()) || words.shape[1] != kWords) {
    fail(fmt::format("'{}' has another number of bitmaps than of chunks", name));
  }
  const int64_t id_max = limits.global_index_max / IndexSet::kChunkBits;
  IndexSet set;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] > id_max || (i > 0 && ids[i] <= ids[i - 1])) {
      fail(fmt::format("'{}' has chunks that do not ascend", name));
    }
    IndexSet::Chunk chunk;
    std::memcpy(chunk.words.data(), words.data.data + i * sizeof(chunk.words), sizeof(chunk.words));
    set.add_chunk(ids[i], chunk.words);
  }
  return set;
}

wire::Value& at(wire::Value& map, const char* name) {
  wire::Value* found = map.find(name);
  if (found == nullptr) fail(fmt::format("there is no '{}'", name));
  return *found;
}

}  // namespace tq::controller::saved
