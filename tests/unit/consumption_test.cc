// SPDX-License-Identifier: Apache-2.0
#include "controller/consumption.h"

#include <optional>

#include "support/catch.h"

namespace tq::controller {
namespace {

using Indexes = std::vector<int64_t>;

TEST_CASE("Consumption: a receipt gives back what its fetch consumed, once") {
  Consumption task;
  const Consumption::Receipt first = task.mark({1, 2, 3});
  const Consumption::Receipt second = task.mark({3, 4});  // 3 was consumed before
  CHECK(task.consumed().to_vector() == Indexes{1, 2, 3, 4});
  CHECK(task.give_back(second));
  CHECK(task.consumed().to_vector() == Indexes{1, 2, 3});
  CHECK(task.give_back(first));
  CHECK_FALSE(task.give_back(first));
  CHECK(task.consumed().empty());
}

TEST_CASE("Consumption: a sample that was cleared meanwhile is not given back") {
  Consumption task;
  const Consumption::Receipt receipt = task.mark({1, 2});
  task.forget(IndexSet({1}));
  task.mark({1});  // its next owner, consumed by somebody else
  CHECK(task.give_back(receipt));
  CHECK(task.consumed().to_vector() == Indexes{1});
}

TEST_CASE("Consumption: after a reset nothing is given back") {
  Consumption task;
  const Consumption::Receipt receipt = task.mark({1, 2});
  task.reset();
  CHECK(task.consumed().empty());
  task.mark({1});
  CHECK_FALSE(task.give_back(receipt));
  CHECK(task.consumed().to_vector() == Indexes{1});
}

TEST_CASE("Consumption: a receipt that outlives its task is empty") {
  std::optional<Consumption> task(std::in_place);
  const Consumption::Receipt receipt = task->mark({1});
  task.reset();
  CHECK(receipt->empty());
}

}  // namespace
}  // namespace tq::controller
