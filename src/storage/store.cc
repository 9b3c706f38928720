// SPDX-License-Identifier: Apache-2.0
#include "storage/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "storage/column.h"
#include "storage/tensordict.h"
#include "transfer_queue/error.h"
#include "wire/missing_rows.h"

namespace tq::storage {
namespace {

// The rows that stay when of equal indexes the last wins, ascending.
std::vector<uint32_t> winning_rows(std::span<const int64_t> indexes) {
  std::vector<uint32_t> winners(indexes.size());
  std::iota(winners.begin(), winners.end(), 0);
  const auto not_rising = std::adjacent_find(indexes.begin(), indexes.end(), std::greater_equal());
  if (not_rising == indexes.end()) return winners;  // all different
  winners.clear();
  IndexTable<uint32_t> last;
  last.reserve(indexes.size());
  for (size_t i = 0; i < indexes.size(); ++i) last.set(indexes[i], static_cast<uint32_t>(i));
  for (uint32_t i = 0; i < indexes.size(); ++i) {
    if (*last.find(indexes[i]) == i) winners.push_back(i);
  }
  return winners;
}

void drop_losers(Block& block, size_t count, std::span<const uint32_t> winners) {
  auto winner = winners.begin();
  for (uint32_t row = 0; row < count; ++row) {
    if (winner != winners.end() && *winner == row) {
      ++winner;
    } else {
      block.drop(row);
    }
  }
}

wire::Map take_columns(wire::Value data) {
  if (is_tensordict(data)) {
    const wire::Value* inner = data.find(kTensorDictData);
    data = inner != nullptr ? wire::Value(*inner) : wire::Value();
  }
  if (wire::Map* columns = data.get_mutable_if<wire::Map>()) return std::move(*columns);
  throw Error(ErrorCode::kWrongType,
              fmt::format("body.data must be a dict of columns, got {}", data.kind_name()));
}

wire::Indexes distinct_indexes(const Incoming& incoming) {
  wire::Indexes distinct;
  distinct.reserve(incoming.rows.size());
  for (uint32_t row : incoming.rows) distinct.push_back(incoming.indexes[row]);
  return distinct;
}

}  // namespace

Store::Store(Capacity capacity, wire::Limits limits, SsdPointer offload)
    : capacity_(capacity), limits_(limits), offload_(std::move(offload)) {}

Incoming Store::cut(wire::Indexes indexes, wire::Value data) const {
  Incoming incoming{std::move(indexes), {}, {}};
  const size_t count = incoming.indexes.size();
  incoming.columns = cut_columns(take_columns(std::move(data)), count);
  incoming.rows = winning_rows(incoming.indexes);
  if (incoming.rows.size() == count) return incoming;
  for (Column& column : incoming.columns) {
    drop_losers(*column.block, count, incoming.rows);
    if (column.block->is_sparse()) column.block->compact();
  }
  return incoming;
}

void Store::put_some(const wire::Indexes& indexes, wire::Value data,
                     std::span<const uint32_t> rows) {
  Incoming incoming{indexes, {}, {rows.begin(), rows.end()}};
  incoming.columns = cut_columns(take_columns(std::move(data)), indexes.size());
  if (rows.size() != indexes.size()) {
    for (Column& column : incoming.columns) {
      drop_losers(*column.block, indexes.size(), rows);
      column.block->compact();
    }
  }
  if (offload_ != nullptr) offload_rows(incoming, plan_offload(incoming, *offload_), offload_);
  enter(std::move(incoming));
}

std::vector<uint32_t> Store::admit(const std::vector<Column>& columns,
                                   const wire::Indexes& distinct, size_t spared_bytes) {
  check_fields(columns);
  check_samples(distinct);
  std::vector<uint32_t> slots = slots_.plan(distinct);
  check_bytes(columns, slots, spared_bytes);
  return slots;
}

void Store::check(const Incoming& incoming, size_t spared_bytes) {
  admit(incoming.columns, distinct_indexes(incoming), spared_bytes);
}

void Store::enter(Incoming incoming) {
  std::vector<Column>& columns = incoming.columns;
  const wire::Indexes distinct = distinct_indexes(incoming);
  const std::vector<uint32_t> slots = admit(columns, distinct, 0);
  // What may still fail, for want of memory, comes before the first change of a row.
  std::vector<Field*> fields;
  fields.reserve(columns.size());
  for (const Column& column : columns) {
    fields.push_back(&obtain_field(column.field));
    fields.back()->prepare(slots);
  }
  slots_.commit(distinct, slots);
  for (size_t i = 0; i < columns.size() && !slots.empty(); ++i) {
    bytes_stored_ += columns[i].block->live_bytes();
    bytes_stored_ -= fields[i]->put(std::move(columns[i].block), slots, incoming.rows);
    fields[i]->tidy();
  }
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): rows are moved out of it
std::vector<Store::Column> Store::cut_columns(wire::Map columns, size_t count) const {
  std::vector<Column> cut;
  cut.reserve(columns.size());
  std::unordered_map<std::string, size_t> seen;
  for (auto& [key, column] : columns) {
    const std::string* name = key.get_if<std::string>();
    if (name == nullptr) {
      throw Error(ErrorCode::kWrongType,
                  fmt::format("a field's name must be a str, got {}", key.kind_name()));
    }
    if (name->size() > limits_.name_bytes_max) {
      throw Error(ErrorCode::kLimit, fmt::format("a field's name has {} bytes; the limit is {}",
                                                 name->size(), limits_.name_bytes_max));
    }
    auto block = std::make_unique<Block>(cut_column(*name, std::move(column), count, limits_));
    const auto [place, is_new] = seen.emplace(*name, cut.size());
    if (is_new) {
      cut.push_back({*name, std::move(block)});
    } else {
      cut[place->second].block = std::move(block);  // as in a Python dict
    }
  }
  return cut;
}

void Store::check_fields(const std::vector<Column>& columns) const {
  const auto is_new = [this](const Column& column) { return find_field(column.field) == nullptr; };
  const auto more = static_cast<size_t>(std::count_if(columns.begin(), columns.end(), is_new));
  if (fields_.size() + more > limits_.fields_max) {
    throw Error(ErrorCode::kLimit,
                fmt::format("{} fields are known and this put brings {} new ones; the limit is {}",
                            fields_.size(), more, limits_.fields_max));
  }
}

void Store::check_samples(std::span<const int64_t> indexes) const {
  if (!capacity_.samples) return;
  const auto is_new = [this](int64_t index) { return slots_.find(index) == SlotTable::kNone; };
  const auto more = std::count_if(indexes.begin(), indexes.end(), is_new);
  const auto active = static_cast<int64_t>(slots_.size());
  if (active + more > *capacity_.samples) {
    throw Error(ErrorCode::kCapacity,
                fmt::format("it holds {} samples of at most {}, so {} new ones do not fit; clear "
                            "samples, or start it with a larger --capacity",
                            active, *capacity_.samples, more));
  }
}

void Store::check_bytes(const std::vector<Column>& columns, std::span<const uint32_t> slots,
                        size_t spared_bytes) const {
  if (!capacity_.bytes) return;
  size_t added = 0;
  size_t replaced = 0;
  for (const Column& column : columns) {
    added += column.block->live_bytes();
    const Field* field = find_field(column.field);
    if (field == nullptr) continue;
    for (uint32_t slot : slots) {
      const std::optional<RowView> before = field->find(slot);
      if (before) replaced += before->bytes();
    }
  }
  added -= spared_bytes;
  if (bytes_stored_ - replaced + added > static_cast<uint64_t>(*capacity_.bytes)) {
    throw Error(
        ErrorCode::kCapacity,
        fmt::format("it holds {} bytes of at most {}, so this put of {} bytes does not fit; "
                    "clear samples, or start it with a larger --capacity-bytes",
                    bytes_stored_, *capacity_.bytes, added));
  }
}

Store::Selection Store::select(std::span<const int64_t> indexes) const {
  return {indexes, slots_.find_all(indexes)};
}

std::vector<RowView> Store::rows(const std::string& field_name, const Selection& selection) const {
  const Field* field = find_field(field_name);
  if (field == nullptr) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}{}'; {}", wire::kNoField, field_name, field_names()));
  }
  std::vector<RowView> views;
  views.reserve(selection.slots.size());
  for (size_t i = 0; i < selection.slots.size(); ++i) {
    const std::optional<RowView> view = field->find(selection.slots[i]);
    if (!view) {
      throw Error(ErrorCode::kNotFound, fmt::format("global index {} has no row in field '{}'",
                                                    selection.indexes[i], field_name));
    }
    views.push_back(*view);
  }
  return views;
}

void Store::clear(std::span<const int64_t> indexes) {
  const std::vector<uint32_t> slots = slots_.find_all(indexes);
  for (const auto& field : fields_) {
    if (field->row_count() == 0) continue;
    for (uint32_t slot : slots) bytes_stored_ -= field->erase(slot);
    field->tidy();
  }
  for (int64_t index : indexes) slots_.release(index);
  slots_.tidy();
}

StoreSnapshot Store::snapshot() const {
  StoreSnapshot snapshot;
  snapshot.slots.reserve(slots_.size());
  slots_.for_each([&](int64_t index, uint32_t slot) { snapshot.slots.emplace_back(index, slot); });
  snapshot.fields.reserve(fields_.size());
  for (const auto& field : fields_) snapshot.fields.push_back(field->snapshot());
  return snapshot;
}

size_t Store::bytes_held() const noexcept {
  size_t total = 0;
  for (const auto& field : fields_) total += field->held_bytes();
  return total;
}

Store::OnSsd Store::on_ssd() const noexcept {
  OnSsd total;
  for (const auto& field : fields_) {
    field->for_each_block([&](const Block& block) {
      total.values += block.ssd_rows();
      total.bytes += block.ssd_bytes();
    });
  }
  return total;
}

Field* Store::find_field(const std::string& name) const noexcept {
  const auto found = field_numbers_.find(name);
  return found == field_numbers_.end() ? nullptr : fields_[found->second].get();
}

Field& Store::obtain_field(const std::string& name) {
  if (Field* field = find_field(name)) return *field;
  if (fields_.size() == fields_.capacity()) fields_.reserve(2 * fields_.size() + 8);
  auto field = std::make_unique<Field>(name);
  field_numbers_.emplace(name, fields_.size());
  return *fields_.emplace_back(std::move(field));
}

std::string Store::field_names() const {
  constexpr size_t kNamesShown = 64;
  if (fields_.empty()) return "no field was put yet";
  std::string text = "known fields are ";
  for (size_t i = 0; i < std::min(fields_.size(), kNamesShown); ++i) {
    text += fmt::format("{}'{}'", i == 0 ? "" : ", ", fields_[i]->name());
  }
  if (fields_.size() > kNamesShown)
    text += fmt::format(" and {} more", fields_.size() - kNamesShown);
  return text;
}

}  // namespace tq::storage
