// SPDX-License-Identifier: Apache-2.0
#include "storage/index_table.h"

#include <random>
#include <unordered_map>

#include "support/catch.h"

namespace tq::test {
namespace {

using storage::IndexTable;

TEST_CASE("index table: empty") {
  IndexTable<int> table;
  CHECK(table.find(0) == nullptr);
  CHECK_FALSE(table.erase(0).has_value());
  CHECK(table.empty());
}

TEST_CASE("index table: set replaces and tells what was there") {
  IndexTable<int> table;
  CHECK_FALSE(table.set(5, 1).has_value());
  CHECK(table.set(5, 2) == 1);
  CHECK(*table.find(5) == 2);
  CHECK(table.erase(5) == 2);
  CHECK(table.find(5) == nullptr);
  CHECK(table.size() == 0);
}

TEST_CASE("index table: does what std::unordered_map does, over growth and shrinking") {
  std::mt19937_64 random(20261122);
  IndexTable<int64_t> table;
  std::unordered_map<int64_t, int64_t> model;
  for (int step = 0; step < 200000; ++step) {
    // Few enough indexes that hits are common; strides as routing to several units gives them.
    const int64_t index = static_cast<int64_t>(random() % 3000) * 8;
    const bool growing = (step / 20000) % 2 == 0;
    if (random() % 4 < (growing ? 3u : 1u)) {
      const auto found = model.find(index);
      const auto before = found == model.end() ? std::nullopt : std::optional(found->second);
      REQUIRE(table.set(index, step) == before);
      model[index] = step;
    } else {
      const auto found = model.find(index);
      const auto before = found == model.end() ? std::nullopt : std::optional(found->second);
      REQUIRE(table.erase(index) == before);
      model.erase(index);
    }
    if (step % 1000 == 0) table.shrink();
    REQUIRE(table.size() == model.size());
  }
  for (int64_t index = 0; index < 3000 * 8; ++index) {
    const auto found = model.find(index);
    const int64_t* value = table.find(index);
    REQUIRE((value != nullptr) == (found != model.end()));
    if (value != nullptr) REQUIRE(*value == found->second);
  }
}

TEST_CASE("index table: after reserve, that many entries take no further memory") {
  IndexTable<int> table;
  table.set(1, 1);
  table.reserve(1000);
  const int* place = table.find(1);
  for (int64_t index = 2; index < 1002; ++index) table.set(index, 0);
  CHECK(table.find(1) == place);
}

}  // namespace
}  // namespace tq::test
