// SPDX-License-Identifier: Apache-2.0
// np.dtype(text).itemsize of numpy 2.4 for each, and what numpy takes for no dtype.
#include "wire/numpy_dtype.h"

#include "support/catch.h"

namespace tq::test {
namespace {

TEST_CASE("numpy dtypes by their text") {
  using wire::numpy_item_size;
  CHECK(numpy_item_size("float32") == 4);
  CHECK(numpy_item_size("bool") == 1);
  CHECK(numpy_item_size("complex128") == 16);
  CHECK(numpy_item_size("<U2") == 8);
  CHECK(numpy_item_size("|S3") == 3);
  CHECK(numpy_item_size("<U0") == 0);
  CHECK(numpy_item_size(">f4") == 4);
  CHECK(numpy_item_size("|V5") == 5);
  CHECK(numpy_item_size("datetime64[ns]") == 8);
  CHECK(numpy_item_size(">M8[s]") == 8);
  CHECK_FALSE(numpy_item_size("[('a', '<i4')]"));  // np.dtype does not read this text back
  CHECK_FALSE(numpy_item_size("float33"));
  CHECK_FALSE(numpy_item_size("object"));
  CHECK_FALSE(numpy_item_size(""));
  CHECK_FALSE(numpy_item_size("<"));
  CHECK_FALSE(numpy_item_size("<U99999999999999999999"));
}

}  // namespace
}  // namespace tq::test
