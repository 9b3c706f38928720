// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "controller/index_set.h"

namespace tq::controller {

/// A view of the indexes that are in each of some sets and not in another: the samples whose
/// requested fields are all produced and that a task has not consumed. They are found word by word
/// and only as far as asked for, so the first 256 of a million cost microseconds. The sets must
/// outlive the view; a change of them shows in it.
class ReadyIndexes {
 public:
  /// Requires at least one set in all_of. none_of may be nullptr.
  ReadyIndexes(std::vector<const IndexSet*> all_of, const IndexSet* none_of);

  /// Calls visit(int64_t) -> bool, ascending, until it returns false.
  template <class Visit>
  void for_each(Visit&& visit) const {
    Words words(*this);
    int64_t base = 0;
    uint64_t bits = 0;
    while (words.next(base, bits)) {
      for (; bits != 0; bits &= bits - 1) {
        if (!visit(base + std::countr_zero(bits))) return;
      }
    }
  }
  /// The smallest ones, at most `count`, ascending.
  std::vector<int64_t> first(size_t count) const;
  bool at_least(size_t count) const;
  bool contains(int64_t index) const noexcept;
  /// How many there are. Walks everything.
  size_t count() const;

 private:
  // Walks the words of the intersection that are not 0.
  class Words {
   public:
    explicit Words(const ReadyIndexes& ready);
    bool next(int64_t& base, uint64_t& bits);

   private:
    bool next_chunk();
    bool enter(int64_t chunk_id);

    const ReadyIndexes& ready_;
    size_t entry_ = 0;  // the next chunk of the first set
    int64_t chunk_id_ = 0;
    size_t word_ = IndexSet::kChunkWords;
    std::vector<const uint64_t*> all_of_;
    const uint64_t* none_of_ = nullptr;
  };

  std::vector<const IndexSet*> all_of_;
  const IndexSet* none_of_;
};

}  // namespace tq::controller
