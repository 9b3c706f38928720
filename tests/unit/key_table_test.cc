// SPDX-License-Identifier: Apache-2.0
// KeyTable against two Python-like dicts, key -> index and index -> key.
#include "controller/key_table.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.h"

namespace tq::controller {
namespace {

/// upstream's keys_mapping and revert_keys_mapping, the first in order of insertion. It departs
/// from upstream in one point: a cleared index takes its key along only when the key stands for it.
struct Dicts {
  std::vector<std::pair<std::string, int64_t>> keys;
  std::map<int64_t, std::string> reverse;

  auto position(const std::string& key) {
    return std::find_if(keys.begin(), keys.end(), [&](const auto& e) { return e.first == key; });
  }
  void assign(const std::string& key, int64_t index) {
    if (const auto at = position(key); at != keys.end()) {
      at->second = index;
    } else {
      keys.emplace_back(key, index);
    }
    reverse[index] = key;
  }
  void erase_index(int64_t index) {
    const auto held = reverse.find(index);
    if (held == reverse.end()) return;
    const auto at = position(held->second);
    if (at != keys.end() && at->second == index) keys.erase(at);
    reverse.erase(held);
  }
};

std::vector<std::pair<std::string, int64_t>> listed(const KeyTable& table) {
  std::vector<std::pair<std::string, int64_t>> entries;
  table.for_each([&](std::string_view key, int64_t index) { entries.emplace_back(key, index); });
  return entries;
}

void check_same(const KeyTable& table, Dicts& dicts) {
  REQUIRE(listed(table) == dicts.keys);
  REQUIRE(table.size() == dicts.keys.size());
  for (const auto& [key, index] : dicts.keys) REQUIRE(table.find(key) == index);
  for (const auto& [index, key] : dicts.reverse) REQUIRE(table.key_of(index) == key);
}

TEST_CASE("KeyTable: as two dicts, through growth and compaction") {
  std::mt19937 random(11);
  KeyTable table;
  Dicts dicts;
  int64_t next = 0;
  for (int step = 0; step < 20000; ++step) {
    // Keys of all lengths up to past the width of the hash's words, and the empty one.
    const std::string key =
        std::to_string(random() % 400).substr(0, random() % 4) + std::string(random() % 3 * 9, 'x');
    const auto choice = random() % 100;
    if (choice < 52) {
      table.assign(key, next);
      dicts.assign(key, next++);
    } else {
      const auto index = static_cast<int64_t>(random() % static_cast<uint64_t>(next + 1));
      table.erase_index(index);
      dicts.erase_index(index);
      REQUIRE_FALSE(table.key_of(index).has_value());
    }
    const auto at = dicts.position(key);
    REQUIRE(table.find(key) == (at == dicts.keys.end() ? std::nullopt : std::optional(at->second)));
    if (step % 500 == 0) check_same(table, dicts);
  }
  check_same(table, dicts);
  while (!dicts.reverse.empty()) {
    const int64_t index = dicts.reverse.begin()->first;
    table.erase_index(index);
    dicts.erase_index(index);
  }
  check_same(table, dicts);
}

TEST_CASE("KeyTable: an empty table has nothing") {
  KeyTable table;
  CHECK_FALSE(table.find("a").has_value());
  CHECK_FALSE(table.key_of(0).has_value());
  CHECK_FALSE(table.key_of(-1).has_value());
  table.erase_index(3);
  CHECK(table.size() == 0);
}

TEST_CASE("KeyTable: a key registered twice stands for the later index, both indexes have it") {
  KeyTable table;
  table.assign("k", 1);
  table.assign("k", 2);
  CHECK(table.find("k") == 2);
  CHECK(table.key_of(1) == "k");
  CHECK(table.key_of(2) == "k");
  table.erase_index(1);  // upstream would forget the key here, and the younger sample with it
  CHECK(table.find("k") == 2);
  table.erase_index(2);
  CHECK_FALSE(table.find("k").has_value());
}

TEST_CASE("KeyTable: a million keys of 16 bytes take at most 100 bytes each") {
  KeyTable table;
  for (int64_t i = 0; i < 1'000'000; ++i) {
    table.assign(std::to_string(i + 1'000'000'000'000'000), i);
  }
  CHECK(table.size() == 1'000'000);
  CHECK(table.memory_bytes() < 100'000'000);
}

}  // namespace
}  // namespace tq::controller
