// SPDX-License-Identifier: Apache-2.0
#include "manager/routing_group.h"

#include <map>

#include "support/catch.h"

namespace tq::test {
namespace {

using manager::route;
using manager::RoutingGroup;

TEST_CASE("a sample goes to the unit that its index modulo their number names") {
  const std::vector<int64_t> indexes = {8, 9, 6, 7, 8};  // as upstream hands them out
  const std::vector<RoutingGroup> groups = route(indexes, 3);
  REQUIRE(groups.size() == 3);
  CHECK(groups[0].unit == 0);
  CHECK(groups[0].global_indexes == std::vector<int64_t>{9, 6});
  CHECK(groups[0].batch_positions == std::vector<size_t>{1, 2});
  CHECK(groups[1].unit == 1);
  CHECK(groups[1].global_indexes == std::vector<int64_t>{7});
  CHECK(groups[1].batch_positions == std::vector<size_t>{3});
  CHECK(groups[2].unit == 2);
  CHECK(groups[2].global_indexes == std::vector<int64_t>{8, 8});  // one named twice is asked twice
  CHECK(groups[2].batch_positions == std::vector<size_t>{0, 4});
}

TEST_CASE("units without samples have no group, and keep their number") {
  const std::vector<int64_t> indexes = {5, 1, 9};
  const std::vector<RoutingGroup> groups = route(indexes, 4);
  REQUIRE(groups.size() == 1);
  CHECK(groups[0].unit == 1);
  CHECK(groups[0].global_indexes == indexes);
  CHECK(route({}, 4).empty());
  CHECK(route(indexes, 1).at(0).batch_positions == std::vector<size_t>{0, 1, 2});
}

TEST_CASE("every sample is in one group, whatever the batch") {
  for (size_t units : {1, 2, 3, 7, 64}) {
    std::vector<int64_t> indexes;
    for (int64_t i = 0; i < 500; ++i) indexes.push_back((i * 7919 + 13) % ((int64_t{1} << 40) - 1));
    std::map<size_t, int64_t> placed;
    size_t last_unit = 0;
    for (const RoutingGroup& group : route(indexes, units)) {
      CHECK((placed.empty() || group.unit > last_unit));
      last_unit = group.unit;
      REQUIRE(group.global_indexes.size() == group.batch_positions.size());
      CHECK(std::is_sorted(group.batch_positions.begin(), group.batch_positions.end()));
      for (size_t k = 0; k < group.batch_positions.size(); ++k) {
        CHECK(group.global_indexes[k] % static_cast<int64_t>(units) ==
              static_cast<int64_t>(group.unit));
        placed[group.batch_positions[k]] = group.global_indexes[k];
      }
    }
    REQUIRE(placed.size() == indexes.size());
    for (const auto& [position, index] : placed) CHECK(indexes[position] == index);
  }
}

}  // namespace
}  // namespace tq::test
