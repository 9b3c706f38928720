// SPDX-License-Identifier: Apache-2.0
#include "controller/ready_indexes.h"

#include <algorithm>
#include <utility>

namespace tq::controller {

ReadyIndexes::ReadyIndexes(std::vector<const IndexSet*> all_of, const IndexSet* none_of)
    : all_of_(std::move(all_of)), none_of_(none_of) {
  // The set with the fewest chunks leads: what it has not is not looked for in the others.
  const auto fewest = [](const IndexSet* a, const IndexSet* b) {
    return a->chunks().entries().size() < b->chunks().entries().size();
  };
  std::iter_swap(all_of_.begin(), std::min_element(all_of_.begin(), all_of_.end(), fewest));
}

std::vector<int64_t> ReadyIndexes::first(size_t count) const {
  std::vector<int64_t> indexes;
  if (count == 0) return indexes;
  indexes.reserve(std::min(count, all_of_.front()->size()));
  for_each([&](int64_t index) {
    indexes.push_back(index);
    return indexes.size() < count;
  });
  return indexes;
}

bool ReadyIndexes::at_least(size_t count) const {
  Words words(*this);
  int64_t base = 0;
  uint64_t bits = 0;
  size_t found = 0;
  while (found < count && words.next(base, bits)) found += static_cast<size_t>(std::popcount(bits));
  return found >= count;
}

bool ReadyIndexes::contains(int64_t index) const noexcept {
  if (index < 0 || (none_of_ != nullptr && none_of_->contains(index))) return false;
  return std::all_of(all_of_.begin(), all_of_.end(),
                     [index](const IndexSet* set) { return set->contains(index); });
}

size_t ReadyIndexes::count() const {
  Words words(*this);
  int64_t base = 0;
  uint64_t bits = 0;
  size_t found = 0;
  while (words.next(base, bits)) found += static_cast<size_t>(std::popcount(bits));
  return found;
}

ReadyIndexes::Words::Words(const ReadyIndexes& ready) : ready_(ready) {
  all_of_.resize(ready.all_of_.size());
}

bool ReadyIndexes::Words::next(int64_t& base, uint64_t& bits) {
  while (true) {
    for (; word_ < IndexSet::kChunkWords; ++word_) {
      bits = none_of_ != nullptr ? ~none_of_[word_] : ~uint64_t{0};
      for (const uint64_t* words : all_of_) bits &= words[word_];
      if (bits == 0) continue;
      base = chunk_id_ * IndexSet::kChunkBits + static_cast<int64_t>(word_ * 64);
      ++word_;
      return true;
    }
    if (!next_chunk()) return false;
  }
}

bool ReadyIndexes::Words::next_chunk() {
  const auto& entries = ready_.all_of_.front()->chunks().entries();
  while (entry_ < entries.size()) {
    if (enter(entries[entry_++].id)) return true;
  }
  return false;
}

bool ReadyIndexes::Words::enter(int64_t chunk_id) {
  const IndexSet::Chunk* consumed =
      ready_.none_of_ != nullptr ? ready_.none_of_->chunks().find(chunk_id) : nullptr;
  if (consumed != nullptr && consumed->count == IndexSet::kChunkBits) return false;
  none_of_ = consumed != nullptr ? consumed->words.data() : nullptr;
  for (size_t i = 0; i < all_of_.size(); ++i) {
    const IndexSet::Chunk* chunk = ready_.all_of_[i]->chunks().find(chunk_id);
    if (chunk == nullptr) return false;
    all_of_[i] = chunk->words.data();
  }
  chunk_id_ = chunk_id;
  word_ = 0;
  return true;
}

}  // namespace tq::controller
