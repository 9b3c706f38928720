// SPDX-License-Identifier: Apache-2.0
// IndexSet and ReadyIndexes against std::set: the same operations, the same contents.
#include "controller/index_set.h"

#include <algorithm>
#include <random>
#include <set>

#include "controller/ready_indexes.h"
#include "support/catch.h"

namespace tq::controller {
namespace {

using Reference = std::set<int64_t>;

// Few chunks of some density, and some indexes far out.
int64_t any_index(std::mt19937& random) {
  const int64_t far = random() % 8 == 0 ? (int64_t{1} << 39) : 0;
  return far + static_cast<int64_t>(random() % (3 * IndexSet::kChunkBits));
}

IndexSet random_set(std::mt19937& random, size_t inserts, Reference& reference) {
  IndexSet set;
  for (size_t i = 0; i < inserts; ++i) {
    const int64_t index = any_index(random);
    set.insert(index);
    reference.insert(index);
  }
  return set;
}

void check_same(const IndexSet& set, const Reference& reference) {
  REQUIRE(set.size() == reference.size());
  REQUIRE(set.empty() == reference.empty());
  REQUIRE(set.to_vector() == std::vector<int64_t>(reference.begin(), reference.end()));
}

TEST_CASE("IndexSet: insert, erase and look up as std::set") {
  std::mt19937 random(7);
  IndexSet set;
  Reference reference;
  for (int step = 0; step < 20000; ++step) {
    const int64_t index = any_index(random);
    if (random() % 2 == 0) {
      REQUIRE(set.insert(index) == reference.insert(index).second);
    } else {
      REQUIRE(set.erase(index) == (reference.erase(index) == 1));
    }
    const int64_t other = any_index(random);
    REQUIRE(set.contains(other) == reference.contains(other));
  }
  check_same(set, reference);
}

TEST_CASE("IndexSet: union, difference and inclusion as std::set") {
  std::mt19937 random(8);
  for (int round = 0; round < 200; ++round) {
    Reference a_reference, b_reference;
    IndexSet a = random_set(random, random() % 3000, a_reference);
    const IndexSet b = random_set(random, random() % 300, b_reference);
    const bool includes = std::includes(a_reference.begin(), a_reference.end(), b_reference.begin(),
                                        b_reference.end());
    REQUIRE(a.contains_all(b) == includes);
    if (round % 2 == 0) {
      a.add(b);
      a_reference.insert(b_reference.begin(), b_reference.end());
      REQUIRE(a.contains_all(b));
    } else {
      a.remove(b);
      for (int64_t index : b_reference) a_reference.erase(index);
    }
    check_same(a, a_reference);
  }
}

TEST_CASE("IndexSet: take_first takes the smallest, ascending, and no more than there are") {
  std::mt19937 random(9);
  Reference reference;
  IndexSet set = random_set(random, 5000, reference);
  while (!reference.empty()) {
    const size_t count = random() % 700;
    std::vector<int64_t> expected;
    while (expected.size() < count && !reference.empty()) {
      expected.push_back(*reference.begin());
      reference.erase(reference.begin());
    }
    REQUIRE(set.take_first(count) == expected);
    check_same(set, reference);
  }
  CHECK(set.take_first(3).empty());
}

TEST_CASE("IndexSet: an emptied set takes no chunk, and a moved-from one is empty") {
  IndexSet set({1, 5000, int64_t{1} << 39});
  IndexSet moved = std::move(set);
  CHECK(set.empty());  // NOLINT(bugprone-use-after-move): the state after a move is what is tested
  CHECK(set.to_vector().empty());
  CHECK(moved.to_vector() == std::vector<int64_t>{1, 5000, int64_t{1} << 39});
  CHECK(moved.chunks().entries().size() == 3);
  for (int64_t index : moved.to_vector()) moved.erase(index);
  CHECK(moved.chunks().entries().empty());
}

TEST_CASE("IndexSet: a million dense indexes take an eighth of a byte each") {
  IndexSet set;
  for (int64_t index = 0; index < 1'000'000; ++index) set.insert(index);
  CHECK(set.memory_bytes() < 1'000'000 / 8 * 12 / 10);
}

// What a sample must be to be ready, said the slow way.
std::vector<int64_t> ready_reference(const std::vector<Reference>& all_of,
                                     const Reference& none_of) {
  std::vector<int64_t> ready;
  for (int64_t index : all_of.front()) {
    const bool everywhere = std::all_of(all_of.begin(), all_of.end(),
                                        [&](const Reference& r) { return r.contains(index); });
    if (everywhere && !none_of.contains(index)) ready.push_back(index);
  }
  return ready;
}

TEST_CASE("ReadyIndexes: what is in all sets and not in the other, ascending") {
  std::mt19937 random(10);
  for (int round = 0; round < 100; ++round) {
    std::vector<Reference> references(1 + random() % 3);
    std::vector<IndexSet> sets;
    for (Reference& r : references) sets.push_back(random_set(random, 4000 + random() % 4000, r));
    Reference consumed_reference;
    const IndexSet consumed = random_set(random, random() % 4000, consumed_reference);
    std::vector<const IndexSet*> all_of;
    for (const IndexSet& set : sets) all_of.push_back(&set);

    const ReadyIndexes ready(all_of, &consumed);
    const std::vector<int64_t> expected = ready_reference(references, consumed_reference);
    REQUIRE(ready.count() == expected.size());
    REQUIRE(ready.at_least(expected.size()));
    REQUIRE_FALSE(ready.at_least(expected.size() + 1));
    REQUIRE(ready.first(expected.size() + 5) == expected);
    const size_t some = random() % (expected.size() + 1);
    REQUIRE(
        ready.first(some) ==
        std::vector<int64_t>(expected.begin(), expected.begin() + static_cast<ptrdiff_t>(some)));
  }
}

TEST_CASE(
    "ReadyIndexes: passes over what is consumed, shows later changes, takes no set for none") {
  IndexSet produced;
  IndexSet consumed;
  for (int64_t index = 0; index < 3 * IndexSet::kChunkBits; ++index) {
    produced.insert(index);
    if (index < 2 * IndexSet::kChunkBits + 100) consumed.insert(index);
  }
  const ReadyIndexes ready({&produced}, &consumed);
  CHECK(ready.first(2) == std::vector<int64_t>{8292, 8293});
  CHECK(ready.first(0).empty());
  consumed.erase(5000);
  CHECK(ready.first(2) == std::vector<int64_t>{5000, 8292});
  CHECK(ReadyIndexes({&produced}, nullptr).count() == 3 * IndexSet::kChunkBits);
  const IndexSet nothing;
  CHECK(ReadyIndexes({&produced, &nothing}, nullptr).count() == 0);
}

}  // namespace
}  // namespace tq::controller
