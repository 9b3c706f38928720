// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tq::cli {

/// Text in columns that align; the last row of a table needs no more room than its widest. A column
/// whose title ends with '>' (which is not printed) is flush right.
class Table {
 public:
  explicit Table(std::vector<std::string> titles);
  /// As many cells as there are titles.
  void add(std::vector<std::string> cells);
  bool empty() const noexcept { return rows_.empty(); }
  /// Lines with line ends, each after `indent` spaces.
  std::string text(size_t indent = 0) const;

 private:
  std::vector<std::string> titles_;
  std::vector<bool> is_right_;
  std::vector<std::vector<std::string>> rows_;
};

/// "17 B", "4.0 KiB", "1.5 GiB".
std::string bytes_text(double bytes);
/// "12 s", "3 min", "2 h 5 min", "4 d 3 h".
std::string duration_text(double seconds);
/// "67 %"; "-" of nothing.
std::string percent_text(double part, double whole);

}  // namespace tq::cli
