// SPDX-License-Identifier: Apache-2.0
#include "storage/slot_table.h"

#include <set>

#include "storage/row_refs.h"
#include "support/catch.h"

namespace tq::test {
namespace {

using storage::RowRef;
using storage::RowRefs;
using storage::SlotTable;
using Indexes = std::vector<int64_t>;

TEST_CASE("slot table: a plan changes nothing until it is committed") {
  SlotTable table;
  const Indexes indexes{10, 20, 30};
  const std::vector<uint32_t> planned = table.plan(indexes);
  CHECK(std::set<uint32_t>(planned.begin(), planned.end()).size() == 3);
  CHECK(table.size() == 0);
  CHECK(table.find(10) == SlotTable::kNone);
  CHECK(table.plan(indexes) == planned);
  table.commit(indexes, planned);
  CHECK(table.find_all(indexes) == planned);
  CHECK(table.find(11) == SlotTable::kNone);
}

TEST_CASE("slot table: known indexes keep their slots, freed slots are used again") {
  SlotTable table;
  const Indexes first{1, 2, 3, 4};
  table.commit(first, table.plan(first));
  const uint32_t slot_of_three = table.find(3);
  table.release(2);
  table.release(4);
  table.release(99);
  const Indexes second{3, 5, 6, 7};
  const std::vector<uint32_t> planned = table.plan(second);
  table.commit(second, planned);
  CHECK(table.size() == 5);
  CHECK(table.find(3) == slot_of_three);
  std::set<uint32_t> used;
  for (int64_t index : {1, 3, 5, 6, 7}) used.insert(table.find(index));
  CHECK(used.size() == 5);
  CHECK(*used.rbegin() == 4);  // five slots for five indexes: two of them were used before
}

TEST_CASE("slot table: begins anew when all is released") {
  SlotTable table;
  const Indexes indexes{1, 2, 3};
  table.commit(indexes, table.plan(indexes));
  for (int64_t index : indexes) table.release(index);
  table.tidy();
  CHECK(table.size() == 0);
  CHECK(table.plan({indexes.data(), 1})[0] == 0);
}

TEST_CASE("row refs: set, replace, erase, over page borders") {
  RowRefs refs;
  CHECK_FALSE(refs.find(0).has_value());
  CHECK_FALSE(refs.find(SlotTable::kNone).has_value());
  CHECK_FALSE(refs.erase(7).has_value());
  for (uint32_t slot : {0u, 255u, 256u, 100000u}) {
    refs.prepare(slot);
    CHECK_FALSE(refs.set(slot, RowRef{1, slot}).has_value());
  }
  CHECK(refs.size() == 4);
  CHECK(refs.find(256)->row == 256);
  CHECK_FALSE(refs.find(257).has_value());
  CHECK_FALSE(refs.find(5000).has_value());
  CHECK(refs.set(256, RowRef{2, 9})->row == 256);
  CHECK(refs.erase(256)->row == 9);
  CHECK_FALSE(refs.find(256).has_value());
  for (uint32_t slot : {0u, 255u, 100000u}) CHECK(refs.erase(slot)->row == slot);
  CHECK(refs.size() == 0);
}

}  // namespace
}  // namespace tq::test
