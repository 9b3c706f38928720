// SPDX-License-Identifier: Apache-2.0
#include "controller/key_table.h"

#include <fmt/format.h>

#include <cstring>
#include <random>
#include <utility>

#include "controller/saved.h"
#include "wire/utf8.h"

namespace tq::controller {
namespace {

constexpr uint32_t kFree = UINT32_MAX;
constexpr uint32_t kDeleted = UINT32_MAX - 1;
constexpr size_t kSlotsMin = 16;
constexpr size_t kDeadMin = 64;  // below this many dead entries, compaction is not worth its walk

uint64_t mix(uint64_t a, uint64_t b) noexcept {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// Seeded anew in each process: a peer that could foresee the hashes could choose keys that all meet
// in one slot, and each look-up would walk them.
uint32_t hash_of(std::string_view key) noexcept {
  static const uint64_t seed =
      (uint64_t{std::random_device{}()} << 32) | std::random_device{}() | 1;
  constexpr uint64_t kOdd = 0x9E3779B97F4A7C15;
  uint64_t state = mix(seed, key.size() ^ kOdd);
  size_t at = 0;
  for (uint64_t word = 0; at < key.size(); at += sizeof(word)) {
    word = 0;
    std::memcpy(&word, key.data() + at, std::min(sizeof(word), key.size() - at));
    state = mix(state ^ word, kOdd ^ seed);
  }
  return static_cast<uint32_t>(state >> 32);
}

}  // namespace

std::optional<int64_t> KeyTable::find(std::string_view key) const {
  if (slots_.empty()) return std::nullopt;
  const uint32_t at = slots_[slot_of(key, hash_of(key))];
  if (at >= kDeleted) return std::nullopt;
  return entries_[at].index;
}

std::optional<std::string_view> KeyTable::key_of(int64_t index) const {
  if (index < 0) return std::nullopt;
  const uint32_t at = entry_of_index_.find(index);
  if (at == IndexMap::kNone) return std::nullopt;
  return text_of(entries_[at]);
}

void KeyTable::assign(std::string_view key, int64_t index) {
  if (2 * (slots_used_ + 1) > slots_.size()) grow_slots();
  const uint32_t hash = hash_of(key);
  const size_t slot = slot_of(key, hash);
  uint32_t at = slots_[slot];
  if (at >= kDeleted) {
    if (at == kFree) ++slots_used_;
    at = add_entry(key, hash);
    slots_[slot] = at;
    ++listed_;
  }
  entries_[at].index = index;
  ++entries_[at].holders;
  entry_of_index_.set(index, at);
}

void KeyTable::erase_index(int64_t index) {
  const uint32_t at = entry_of_index_.erase(index);
  if (at == IndexMap::kNone) return;
  Entry& entry = entries_[at];
  if (entry.index == index) unlist(entry);
  if (--entry.holders == 0) ++dead_;
  if (dead_ > kDeadMin && 2 * dead_ > entries_.size()) compact();
}

size_t KeyTable::slot_of(std::string_view key, uint32_t hash) const noexcept {
  const size_t mask = slots_.size() - 1;
  size_t reusable = slots_.size();
  for (size_t slot = hash & mask;; slot = (slot + 1) & mask) {
    const uint32_t at = slots_[slot];
    if (at == kFree) return reusable < slots_.size() ? reusable : slot;
    if (at == kDeleted) {
      if (reusable == slots_.size()) reusable = slot;
    } else if (entries_[at].hash == hash && text_of(entries_[at]) == key) {
      return slot;
    }
  }
}

uint32_t KeyTable::add_entry(std::string_view key, uint32_t hash) {
  entries_.push_back({texts_.size(), static_cast<uint32_t>(key.size()), hash, kUnlisted, 0});
  texts_.append(key);
  return static_cast<uint32_t>(entries_.size() - 1);
}

void KeyTable::unlist(Entry& entry) {
  slots_[slot_of(text_of(entry), entry.hash)] = kDeleted;
  entry.index = kUnlisted;
  --listed_;
}

void KeyTable::grow_slots() {
  size_t wanted = kSlotsMin;
  while (wanted < 3 * (listed_ + 1)) wanted *= 2;
  fill_slots(wanted);
}

// `count` is a power of two and larger than listed_. None is deleted afterwards.
void KeyTable::fill_slots(size_t count) {
  slots_.assign(count, kFree);
  slots_used_ = listed_;
  for (size_t at = 0; at < entries_.size(); ++at) {
    if (entries_[at].index == kUnlisted) continue;
    size_t slot = entries_[at].hash & (count - 1);
    while (slots_[slot] != kFree) slot = (slot + 1) & (count - 1);
    slots_[slot] = static_cast<uint32_t>(at);
  }
}

void KeyTable::compact() {
  std::vector<Entry> entries;
  std::string texts;
  std::vector<uint32_t> moved_to(entries_.size());
  entries.reserve(entries_.size() - dead_);
  for (size_t at = 0; at < entries_.size(); ++at) {
    if (entries_[at].holders == 0) continue;
    moved_to[at] = static_cast<uint32_t>(entries.size());
    const std::string_view text = text_of(entries_[at]);
    entries.push_back(entries_[at]);
    entries.back().text_at = texts.size();
    texts.append(text);
  }
  entry_of_index_.transform([&](uint32_t at) { return moved_to[at]; });
  entries_ = std::move(entries);
  texts_ = std::move(texts);
  texts_.shrink_to_fit();
  dead_ = 0;
  grow_slots();
}

// Dead entries are left out. "ends": where each text ends in "texts"; "listed": the index that the
// key stands for, or kUnlisted; "holders": all indexes that have a key, and "keys": which.
wire::Value KeyTable::to_value() const {
  std::vector<int64_t> ordinals(entries_.size(), -1);
  std::string texts;
  std::vector<int64_t> ends, listed, holders, keys;
  for (size_t at = 0; at < entries_.size(); ++at) {
    if (entries_[at].holders == 0) continue;
    ordinals[at] = static_cast<int64_t>(ends.size());
    texts += text_of(entries_[at]);
    ends.push_back(static_cast<int64_t>(texts.size()));
    listed.push_back(entries_[at].index);
  }
  entry_of_index_.for_each([&](int64_t index, uint32_t at) {
    holders.push_back(index);
    keys.push_back(ordinals[at]);
  });
  const auto size = static_cast<int64_t>(texts.size());
  return wire::Map{
      {"texts", wire::Tensor{wire::DType::uint8, {size}, wire::Slice::own(std::move(texts))}},
      {"ends", saved::numbers(ends)},
      {"listed", saved::numbers(listed)},
      {"holders", saved::numbers(holders)},
      {"keys", saved::numbers(keys)}};
}

IndexSet KeyTable::restore(wire::Value& map, const wire::Limits& limits) {
  const auto texts = saved::take<wire::Tensor>(map, "texts", limits);
  const std::vector<int64_t> ends = saved::take_numbers(map, "ends");
  const std::vector<int64_t> listed = saved::take_numbers(map, "listed");
  const std::vector<int64_t> holders = saved::take_numbers(map, "holders");
  const std::vector<int64_t> keys = saved::take_numbers(map, "keys");
  if (ends.size() != listed.size() || holders.size() != keys.size() ||
      ends.size() >= UINT32_MAX / 2) {
    saved::fail("the lists of keys are not of one length");
  }
  texts_ = texts.data.view();
  restore_entries(ends, listed, limits);
  IndexSet indexes;
  for (size_t i = 0; i < holders.size(); ++i) {
    const bool is_entry = keys[i] >= 0 && static_cast<size_t>(keys[i]) < entries_.size();
    if (holders[i] < 0 || holders[i] > limits.global_index_max || !is_entry ||
        !indexes.insert(holders[i])) {
      saved::fail(fmt::format("sample {} has a key that is not there, or two", holders[i]));
    }
    entry_of_index_.set(holders[i], static_cast<uint32_t>(keys[i]));
    ++entries_[static_cast<size_t>(keys[i])].holders;
  }
  restore_slots();
  return indexes;
}

void KeyTable::restore_entries(const std::vector<int64_t>& ends, const std::vector<int64_t>& listed,
                               const wire::Limits& limits) {
  size_t from = 0;
  for (size_t i = 0; i < ends.size(); ++i) {
    const auto end = static_cast<size_t>(ends[i]);
    if (ends[i] < 0 || end < from || end > texts_.size() || end - from > limits.name_bytes_max) {
      saved::fail("the texts of keys do not follow each other");
    }
    const std::string_view text = std::string_view(texts_).substr(from, end - from);
    if (!wire::is_utf8(text)) saved::fail("a key is not valid UTF-8");
    entries_.push_back({from, static_cast<uint32_t>(text.size()), hash_of(text), listed[i], 0});
    from = end;
  }
  if (from != texts_.size()) saved::fail("there are texts that are no keys");
}

void KeyTable::restore_slots() {
  for (const Entry& entry : entries_) listed_ += entry.index != kUnlisted ? 1 : 0;
  size_t wanted = kSlotsMin;
  while (wanted < 3 * (listed_ + 1)) wanted *= 2;
  slots_.assign(wanted, kFree);
  slots_used_ = listed_;
  for (size_t at = 0; at < entries_.size(); ++at) {
    const Entry& entry = entries_[at];
    const bool listed = entry.index != kUnlisted;
    const bool is_holder = listed && entry.index >= 0 && entry_of_index_.find(entry.index) == at;
    if (entry.holders == 0 || (listed && !is_holder)) {
      saved::fail("a key stands for a sample that does not have it");
    }
    if (!listed) continue;
    const size_t slot = slot_of(text_of(entry), entry.hash);
    if (slots_[slot] != kFree) saved::fail("a key is there twice");
    slots_[slot] = static_cast<uint32_t>(at);
  }
}

size_t KeyTable::memory_bytes() const noexcept {
  return entries_.capacity() * sizeof(Entry) + texts_.capacity() +
         slots_.capacity() * sizeof(uint32_t) + entry_of_index_.memory_bytes();
}

}  // namespace tq::controller
