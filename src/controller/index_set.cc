// SPDX-License-Identifier: Apache-2.0
#include "controller/index_set.h"

#include <utility>

namespace tq::controller {
namespace {

struct Position {
  int64_t chunk;
  size_t word;
  uint64_t bit;
};

Position position_of(int64_t index) noexcept {
  const auto in_chunk = static_cast<size_t>(index % IndexSet::kChunkBits);
  return {index / IndexSet::kChunkBits, in_chunk / 64, uint64_t{1} << (in_chunk % 64)};
}

uint32_t count_bits(const IndexSet::Chunk& chunk) noexcept {
  uint32_t count = 0;
  for (uint64_t word : chunk.words) count += static_cast<uint32_t>(std::popcount(word));
  return count;
}

}  // namespace

IndexSet::IndexSet(const std::vector<int64_t>& indexes) {
  for (int64_t index : indexes) insert(index);
}

IndexSet::IndexSet(IndexSet&& other) noexcept
    : chunks_(std::exchange(other.chunks_, {})), size_(std::exchange(other.size_, 0)) {}

IndexSet& IndexSet::operator=(IndexSet&& other) noexcept {
  chunks_ = std::exchange(other.chunks_, {});
  size_ = std::exchange(other.size_, 0);
  return *this;
}

bool IndexSet::insert(int64_t index) {
  const Position at = position_of(index);
  Chunk& chunk = chunks_.obtain(at.chunk);
  if ((chunk.words[at.word] & at.bit) != 0) return false;
  chunk.words[at.word] |= at.bit;
  ++chunk.count;
  ++size_;
  return true;
}

bool IndexSet::erase(int64_t index) {
  const Position at = position_of(index);
  Chunk* chunk = chunks_.find(at.chunk);
  if (chunk == nullptr || (chunk->words[at.word] & at.bit) == 0) return false;
  chunk->words[at.word] &= ~at.bit;
  --size_;
  if (--chunk->count == 0) chunks_.drop(at.chunk);
  return true;
}

bool IndexSet::contains(int64_t index) const noexcept {
  const Position at = position_of(index);
  const Chunk* chunk = chunks_.find(at.chunk);
  return chunk != nullptr && (chunk->words[at.word] & at.bit) != 0;
}

void IndexSet::clear() noexcept {
  chunks_.clear();
  size_ = 0;
}

void IndexSet::add(const IndexSet& other) {
  for (const auto& [id, theirs] : other.chunks_.entries()) {
    Chunk& ours = chunks_.obtain(id);
    size_ -= ours.count;
    for (size_t w = 0; w < kChunkWords; ++w) ours.words[w] |= theirs->words[w];
    ours.count = count_bits(ours);
    size_ += ours.count;
  }
}

void IndexSet::remove(const IndexSet& other) {
  bool emptied = false;
  for (const auto& [id, theirs] : other.chunks_.entries()) {
    Chunk* ours = chunks_.find(id);
    if (ours == nullptr) continue;
    size_ -= ours->count;
    for (size_t w = 0; w < kChunkWords; ++w) ours->words[w] &= ~theirs->words[w];
    ours->count = count_bits(*ours);
    size_ += ours->count;
    emptied = emptied || ours->count == 0;
  }
  if (emptied) chunks_.drop_empty();
}

bool IndexSet::contains_all(const IndexSet& other) const noexcept {
  for (const auto& [id, theirs] : other.chunks_.entries()) {
    const Chunk* ours = chunks_.find(id);
    if (ours == nullptr) return false;
    for (size_t w = 0; w < kChunkWords; ++w) {
      if ((theirs->words[w] & ~ours->words[w]) != 0) return false;
    }
  }
  return true;
}

void IndexSet::add_chunk(int64_t id, const std::array<uint64_t, kChunkWords>& words) {
  Chunk& chunk = chunks_.obtain(id);
  size_ -= chunk.count;
  for (size_t w = 0; w < kChunkWords; ++w) chunk.words[w] |= words[w];
  chunk.count = count_bits(chunk);
  size_ += chunk.count;
  if (chunk.count == 0) chunks_.drop(id);
}

int64_t IndexSet::last() const noexcept {
  const auto& [id, chunk] = chunks_.entries().back();
  size_t word = kChunkWords - 1;
  while (chunk->words[word] == 0) --word;
  return id * kChunkBits + static_cast<int64_t>(word * 64) + 63 -
         std::countl_zero(chunk->words[word]);
}

std::vector<int64_t> IndexSet::take_first(size_t count) {
  std::vector<int64_t> taken;
  taken.reserve(std::min(count, size_));
  for (const auto& [id, chunk] : chunks_.entries()) {
    const auto take = [&](int64_t index) { taken.push_back(index); };
    for (size_t w = 0; w < kChunkWords && taken.size() < count; ++w) {
      uint64_t& word = chunk->words[w];
      uint64_t kept = word;
      for (size_t left = count - taken.size(); left > 0 && kept != 0; --left) kept &= kept - 1;
      visit_word(id, w, word & ~kept, take);
      word = kept;
    }
    chunk->count = count_bits(*chunk);
    if (taken.size() == count) break;
  }
  size_ -= taken.size();
  chunks_.drop_empty();
  return taken;
}

std::vector<int64_t> IndexSet::to_vector() const {
  std::vector<int64_t> indexes;
  indexes.reserve(size_);
  for_each([&](int64_t index) { indexes.push_back(index); });
  return indexes;
}

size_t IndexSet::memory_bytes() const noexcept {
  return chunks_.entries().size() * sizeof(Chunk) +
         chunks_.entries().capacity() * sizeof(SparseChunks<Chunk>::Entry);
}

}  // namespace tq::controller
