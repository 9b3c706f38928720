// SPDX-License-Identifier: Apache-2.0
// The examples of transfer_queue/column.h and value.h, compiled and run by a test. usage: columns
#include "transfer_queue/column.h"

#include "check.h"

namespace {

tq::Slice bytes_of(const std::vector<int64_t>& numbers) {
  return tq::Slice::copy_of({reinterpret_cast<const char*>(numbers.data()), numbers.size() * 8});
}

}  // namespace

int main() {
  //! [kinds]
  // Two rows of shape [3] in one buffer.
  const tq::Column dense =
      tq::Column::dense({tq::DType::int64, {2, 3}, bytes_of({1, 2, 3, 4, 5, 6})});
  // Two rows of different lengths, each where it lies.
  const tq::Column rows = tq::Column::rows(
      {{tq::DType::int64, {2}, bytes_of({1, 2})}, {tq::DType::int64, {1}, bytes_of({3})}});
  // Anything else: text, numbers, dicts.
  const tq::Column values = tq::Column::values({"text", 3, tq::Map{{"role", "user"}}});
  //! [kinds]
  check(dense.size() == 2 && values.size() == 3, "rows of each");

  //! [jagged]
  const tq::JaggedTensor jagged = rows.to_jagged();  // one buffer of three elements
  const tq::Tensor second = jagged.row(1);           // shares it
  //! [jagged]
  check(jagged.offsets.back() == 3 && second.shape == tq::Shape{1}, "two rows of 2 and 1");

  //! [value]
  const tq::Value tag = tq::Map{{"score", 0.5}, {"model", "v2"}};
  const tq::Value* score = tag.find("score");
  const double* number = score != nullptr ? score->get_if<double>() : nullptr;
  //! [value]
  check(number != nullptr && *number == 0.5, "the score");
}
