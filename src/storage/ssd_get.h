// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "storage/rows.h"
#include "storage/store.h"
#include "wire/messages.h"

namespace tq::storage {

/// The rows that a GET asks for when some of them may lie on an SSD. They stay readable as they are
/// now, whatever becomes of the store: a row that is cleared meanwhile keeps its segment until this
/// is gone. load() alone may run on another thread; the object must die on the store's own.
class SsdGet {
 public:
  /// Throws what Store::rows() throws, Error(kLimit) for more rows of all fields than one field may
  /// have in a request: all of them are looked up before the first is sent.
  SsdGet(const Store& store, const wire::GetData& get, const wire::Limits& limits);

  bool needs_load() const noexcept { return needs_load_; }
  /// Holds the rows, so that load() may run elsewhere.
  void pin();
  /// Reads what lies on the SSD into fresh memory, each row once. Blocks on the disk. Throws
  /// Error(kUnavailable) naming field, row and file.
  void load(const wire::Limits& limits);

  /// After load(), if it is needed.
  std::vector<RowView> rows(const std::string& field) const;
  size_t bytes_loaded() const noexcept { return bytes_loaded_; }

 private:
  struct Column {
    std::string field;
    std::vector<RowView> rows;
    std::shared_ptr<const Rows> loaded;
  };

  void load(Column& column, const wire::Limits& limits);

  wire::Indexes indexes_;
  std::vector<Column> columns_;
  std::unordered_map<std::string, size_t> numbers_;  // of columns_
  std::vector<std::shared_ptr<const Rows>> pins_;
  bool needs_load_ = false;
  size_t bytes_loaded_ = 0;
};

}  // namespace tq::storage
