// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/index_map.h"
#include "controller/index_set.h"
#include "wire/limits.h"
#include "wire/value.h"

namespace tq::controller {

/// The keys of a partition and the global indexes that they stand for, both ways. Walked in the
/// order in which the keys were registered, as a Python dict is.
///
/// An index has one key at most. A key stands for one index, but several indexes can have it: a
/// request that registers one key twice gets two indexes, of which the key stands for the later.
///
/// Laid out for millions of keys: texts in one string, no heap object for a key, about 60 bytes a
/// key and its text. Views into the table are valid until the next change.
class KeyTable {
 public:
  KeyTable() = default;
  KeyTable(const KeyTable&) = delete;
  KeyTable& operator=(const KeyTable&) = delete;

  /// The index that the key stands for.
  std::optional<int64_t> find(std::string_view key) const;
  /// The key of an index.
  std::optional<std::string_view> key_of(int64_t index) const;
  /// Lets `key` stand for `index`, which must have no key yet.
  void assign(std::string_view key, int64_t index);
  /// Forgets the index, and its key when that stands for this index.
  void erase_index(int64_t index);

  /// Keys that stand for an index.
  size_t size() const noexcept { return listed_; }

  /// Calls visit(std::string_view key, int64_t index) in order of registration.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const Entry& entry : entries_) {
      if (entry.index != kUnlisted) visit(text_of(entry), entry.index);
    }
  }

  /// For checkpoints: the whole table, and into an empty one. restore() returns the indexes that
  /// have a key; it throws Error for a value whose parts do not fit, and the table is of no use
  /// then.
  wire::Value to_value() const;
  IndexSet restore(wire::Value& map, const wire::Limits& limits);

  /// Heap bytes that the table takes.
  size_t memory_bytes() const noexcept;

 private:
  static constexpr int64_t kUnlisted = -1;

  struct Entry {
    size_t text_at;
    uint32_t text_size;
    uint32_t hash;
    int64_t index;     // kUnlisted: the key stands for nothing, but an index has it still
    uint32_t holders;  // indexes that have this key; the entry is dead at 0
  };

  std::string_view text_of(const Entry& entry) const noexcept {
    return std::string_view(texts_).substr(entry.text_at, entry.text_size);
  }
  /// The slot where the key is, or where it would go.
  size_t slot_of(std::string_view key, uint32_t hash) const noexcept;
  uint32_t add_entry(std::string_view key, uint32_t hash);
  void unlist(Entry& entry);
  void grow_slots();
  void fill_slots(size_t count);
  void compact();
  void restore_entries(const std::vector<int64_t>& ends, const std::vector<int64_t>& listed,
                       const wire::Limits& limits);
  void restore_slots();

  std::vector<Entry> entries_;  // in order of registration; dead ones until the next compaction
  std::string texts_;
  std::vector<uint32_t> slots_;  // open addressing; a position of entries_, kFree or kDeleted
  size_t slots_used_ = 0;        // not kFree
  size_t listed_ = 0;
  size_t dead_ = 0;
  IndexMap entry_of_index_;
};

}  // namespace tq::controller
