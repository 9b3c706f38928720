// SPDX-License-Identifier: Apache-2.0
#include "storage/ssd_get.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_set>
#include <utility>

#include "storage/get_reply.h"
#include "storage/ssd_record.h"
#include "transfer_queue/error.h"

namespace tq::storage {

SsdGet::SsdGet(const Store& store, const wire::GetData& get, const wire::Limits& limits)
    : indexes_(get.global_indexes) {
  const Store::Selection selection = store.select(indexes_);
  const wire::Names fields = distinct(get.fields_);
  if (!indexes_.empty() && fields.size() > limits.rows_max / indexes_.size()) {
    throw Error(ErrorCode::kLimit,
                fmt::format("{} fields of {} samples are more than {} rows; ask for fewer at once",
                            fields.size(), indexes_.size(), limits.rows_max));
  }
  for (const std::string& field : fields) {
    numbers_.emplace(field, columns_.size());
    const Column& column = columns_.emplace_back(Column{field, store.rows(field, selection), {}});
    needs_load_ =
        needs_load_ || std::any_of(column.rows.begin(), column.rows.end(),
                                   [](const RowView& row) { return row.ssd().has_value(); });
  }
}

void SsdGet::pin() {
  std::unordered_set<const Rows*> pinned;
  for (const Column& column : columns_) {
    for (const RowView& row : column.rows) {
      if (pinned.insert(row.rows).second) pins_.push_back(row.rows->shared_from_this());
    }
  }
}

void SsdGet::load(const wire::Limits& limits) {
  for (Column& column : columns_) load(column, limits);
}

// A short request may name one row a million times; it is read once.
void SsdGet::load(Column& column, const wire::Limits& limits) {
  wire::Array values;
  std::map<std::pair<const Rows*, size_t>, size_t> numbers;  // of rows in `values`
  std::vector<std::pair<size_t, size_t>> places;             // in the column, in `values`
  std::optional<ssd::SegmentReader> reader;
  for (size_t i = 0; i < column.rows.size(); ++i) {
    const RowView& row = column.rows[i];
    const std::optional<SsdPlace> place = row.ssd();
    if (!place) continue;
    const auto [known, is_new] = numbers.emplace(std::pair(row.rows, row.position), values.size());
    places.emplace_back(i, known->second);
    if (!is_new) continue;
    try {
      if (!reader || &reader->segment() != place->segment) reader.emplace(*place->segment);
      values.push_back(read_record(*reader, place->extent, limits));
    } catch (const Error& error) {
      throw Error(error.code(), fmt::format("the row of global index {} in field '{}': {}",
                                            indexes_[i], column.field, error.what()));
    }
    bytes_loaded_ += place->payload_bytes;
  }
  if (places.empty()) return;
  column.loaded = std::make_shared<const ValueRows>(std::move(values));
  for (const auto& [i, number] : places) column.rows[i] = {column.loaded.get(), number};
}

std::vector<RowView> SsdGet::rows(const std::string& field) const {
  return columns_[numbers_.at(field)].rows;
}

}  // namespace tq::storage
