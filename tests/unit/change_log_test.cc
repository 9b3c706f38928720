// SPDX-License-Identifier: Apache-2.0
#include "controller/change_log.h"

#include "support/catch.h"

namespace tq::controller {
namespace {

constexpr size_t kNoBound = SIZE_MAX;

std::vector<int64_t> changed_since(const ChangeLog& log, const std::string& revision) {
  std::vector<int64_t> indexes;
  log.for_each_changed(log.find(revision).value(), [&](int64_t i) { indexes.push_back(i); });
  return indexes;
}

TEST_CASE("ChangeLog: each sample once, in order of its last change") {
  ChangeLog log(kNoBound);
  const std::string begin = log.revision();
  for (const int64_t index : {5, 3, 9, 3, 5}) log.changed(index);
  const std::string middle = log.revision();
  CHECK(changed_since(log, begin) == std::vector<int64_t>{9, 3, 5});
  CHECK(changed_since(log, middle).empty());
  log.changed(9);
  log.forget(3);
  log.forget(4);  // was never in it
  CHECK(changed_since(log, begin) == std::vector<int64_t>{5, 9});
  CHECK(changed_since(log, middle) == std::vector<int64_t>{9});
  log.forget(5);
  log.forget(9);
  log.changed(5);
  CHECK(changed_since(log, middle) == std::vector<int64_t>{5});
}

TEST_CASE("ChangeLog: a million samples take at most 64 bytes each, and none after they are gone") {
  ChangeLog log(kNoBound);
  for (int64_t i = 0; i < 1'000'000; ++i) log.changed(i);
  for (int64_t i = 0; i < 1'000'000; ++i) log.changed(i);
  CHECK(log.memory_bytes() < 64'000'000);
  for (int64_t i = 0; i < 1'000'000; ++i) log.forget(i);
  CHECK(log.memory_bytes() < 100'000);
}

}  // namespace
}  // namespace tq::controller
