// SPDX-License-Identifier: Apache-2.0
// What the examples expect, so that a page never shows what does not work.
#pragma once

#include <cstdlib>
#include <iostream>

inline void check(bool holds, const char* what) {
  if (holds) return;
  std::cerr << "the example does not do what it says: " << what << '\n';
  std::exit(1);
}
