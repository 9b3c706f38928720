// SPDX-License-Identifier: Apache-2.0
// Random puts, overwrites, clears and gets against the simplest store there is: a map by field and
// index, as Python's unit has it.
#include <map>
#include <random>
#include <set>

#include "actors/storage_fixture.h"

namespace tq::test {
namespace {

using wire::Array;
using wire::Map;
using wire::Tensor;
using wire::Value;

class ModelRun {
 public:
  explicit ModelRun(uint64_t seed) : random_(seed) {}

  void step() {
    const size_t choice = below(10);
    if (choice < 5) {
      put_rows();
    } else if (choice < 7) {
      clear_rows();
    } else {
      compare_some();
    }
    CHECK(unit_.store().active_keys() == active_.size());
  }

  void finish() {
    for (const auto& [field, rows] : model_) {
      for (const auto& [index, row] : rows) compare(field, {index});
    }
    clear(unit_, wire::Indexes(active_.begin(), active_.end()));
    CHECK(unit_.store().bytes_stored() == 0);
    CHECK(unit_.store().bytes_held() == 0);
  }

 private:
  size_t below(size_t bound) { return static_cast<size_t>(random_() % bound); }

  wire::Indexes some_indexes() {
    wire::Indexes indexes(1 + below(12));
    // Few enough that overwriting and repeating are common; a stride as with three units.
    for (int64_t& index : indexes) index = static_cast<int64_t>(below(60)) * 3;
    return indexes;
  }

  // A column of `count` rows and its rows one by one.
  std::pair<Value, Array> column(size_t count) {
    const auto rows = static_cast<int64_t>(count);
    const auto first = static_cast<int64_t>(below(1000000));
    Array expected;
    switch (below(4)) {
      case 0:
      case 1: {  // dense: small rows, or rows of 16 KiB that stay in their frame
        const int64_t width = below(2) == 0 ? 3 : 2048;
        for (int64_t i = 0; i < rows; ++i) expected.push_back(counting({width}, first + i * width));
        return {counting({rows, width}, first), expected};
      }
      case 2: {  // ragged, small and large
        for (size_t i = 0; i < count; ++i) {
          const auto length = static_cast<int64_t>(below(20) == 0 ? 3000 : below(9));
          expected.push_back(counting({length}, first));
        }
        return {expected, expected};
      }
      default: {
        for (size_t i = 0; i < count; ++i) expected.push_back(std::to_string(random_()));
        return {expected, expected};
      }
    }
  }

  void put_rows() {
    const wire::Indexes indexes = some_indexes();
    Map columns;
    for (const char* field : {"a", "b", "c"}) {
      if (below(2) == 0) continue;
      auto [values, rows] = column(indexes.size());
      columns.emplace_back(field, values);
      for (size_t i = 0; i < indexes.size(); ++i) model_[field][indexes[i]] = rows[i];
    }
    active_.insert(indexes.begin(), indexes.end());
    REQUIRE(put(unit_, indexes, columns).type() == "PUT_DATA_RESPONSE");
  }

  void clear_rows() {
    const wire::Indexes indexes = some_indexes();
    for (int64_t index : indexes) {
      for (auto& [field, rows] : model_) rows.erase(index);
      active_.erase(index);
    }
    REQUIRE(clear(unit_, indexes).type() == "CLEAR_DATA_RESPONSE");
  }

  void compare_some() {
    for (const auto& [field, rows] : model_) compare(field, some_indexes());
  }

  void compare(const std::string& field, const wire::Indexes& indexes) {
    const auto& rows = model_.at(field);
    const Answer answer = get(unit_, {field}, indexes);
    for (int64_t index : indexes) {
      if (rows.contains(index)) continue;
      REQUIRE(answer.message().starts_with("[TQKeyNotFound] "));
      return;
    }
    const Value& got = answer.column(field);
    REQUIRE(row_count(got) == indexes.size());
    for (size_t i = 0; i < indexes.size(); ++i) {
      const Value& expected = rows.at(indexes[i]);
      const Value row = row_of(got, i);
      if (const auto* tensor = expected.get_if<Tensor>()) {
        REQUIRE(is_tensor(row, *tensor));
      } else {
        REQUIRE(row.get_if<std::string>() != nullptr);
        REQUIRE(*row.get_if<std::string>() == *expected.get_if<std::string>());
      }
    }
  }

  std::mt19937_64 random_;
  storage::StorageUnit unit_{{}};
  std::map<std::string, std::map<int64_t, Value>> model_;
  std::set<int64_t> active_;
};

TEST_CASE("storage: random requests have the same effect as on a plain dict of dicts") {
  const uint64_t seed = GENERATE(1, 2, 3, 4);
  INFO("seed " << seed);
  ModelRun run(seed);
  for (int i = 0; i < 1500; ++i) run.step();
  run.finish();
}

}  // namespace
}  // namespace tq::test
