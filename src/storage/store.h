// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "storage/field.h"
#include "storage/incoming.h"
#include "storage/slot_table.h"
#include "storage/snapshot.h"
#include "storage/ssd_offload.h"
#include "wire/limits.h"
#include "wire/messages.h"

namespace tq::storage {

/// How much a store takes; nothing: without bound.
struct Capacity {
  std::optional<int64_t> samples;
  /// Payload of live rows in memory as Rows::bytes_at counts it. Memory in use stays below twice
  /// that, for blocks are compacted when more than half of them is dead.
  std::optional<int64_t> bytes;
};

/// What a storage unit keeps: rows by field and global index. Every change happens whole or, when
/// it throws tq::Error, not at all. Not thread-safe.
class Store {
 public:
  /// `offload`, if any: where put_some() lets large rows lie.
  Store(Capacity capacity, wire::Limits limits, SsdPointer offload = nullptr);

  /// Stores row i of each column under indexes[i], replacing what was there; of equal indexes the
  /// last wins. `data` is a dict or TensorDict of columns (storage/column.h). Throws
  /// Error(kInvalidArgument, kWrongType) naming the field, Error(kCapacity), Error(kLimit).
  void put(wire::Indexes indexes, wire::Value data) {
    enter(cut(std::move(indexes), std::move(data)));
  }

  /// A put in two steps, between which rows may go to an SSD. The first changes nothing; the second
  /// throws what the store, as it is then, has against it.
  Incoming cut(wire::Indexes indexes, wire::Value data) const;
  void enter(Incoming incoming);
  /// Throws what enter() would throw now if `spared_bytes` of the rows were not in memory.
  void check(const Incoming& incoming, size_t spared_bytes);

  /// Puts rows `rows` (positions, ascending) of the columns alone, which keep no memory of the
  /// others. Blocks on the disk where there is an SSD. Throws what put() throws.
  void put_some(const wire::Indexes& indexes, wire::Value data, std::span<const uint32_t> rows);

  /// Some global indexes, looked up once for all fields. Valid until the next change.
  struct Selection {
    std::span<const int64_t> indexes;
    std::vector<uint32_t> slots;
  };
  /// `indexes` must outlive the selection.
  Selection select(std::span<const int64_t> indexes) const;

  /// The rows of a field in the order asked for. Throws Error(kInvalidArgument) for a field that
  /// this store never saw, Error(kNotFound) naming the first index that has no row.
  std::vector<RowView> rows(const std::string& field, const Selection& selection) const;

  /// Removes all rows of these indexes; unknown ones are ignored.
  void clear(std::span<const int64_t> indexes);

  /// See StoreSnapshot.
  StoreSnapshot snapshot() const;

  bool holds(int64_t index) const noexcept { return slots_.find(index) != SlotTable::kNone; }

  /// Indexes that were put and not cleared.
  size_t active_keys() const noexcept { return slots_.size(); }
  size_t bytes_stored() const noexcept { return bytes_stored_; }
  /// Calls visit(const Field&) for each field, in the order in which they were first seen.
  template <class Visit>
  void for_each_field(Visit&& visit) const {
    for (const auto& field : fields_) visit(*field);
  }
  /// What the rows keep in memory, dead ones in blocks not yet compacted included.
  size_t bytes_held() const noexcept;
  /// Live rows that lie on an SSD, and their payload.
  struct OnSsd {
    size_t values = 0;
    size_t bytes = 0;
  };
  OnSsd on_ssd() const noexcept;

 private:
  using Column = Incoming::Column;

  std::vector<Column> cut_columns(wire::Map columns, size_t count) const;
  /// The slots of different indexes that are to get these columns, or why they must not.
  std::vector<uint32_t> admit(const std::vector<Column>& columns, const wire::Indexes& distinct,
                              size_t spared_bytes);
  void check_fields(const std::vector<Column>& columns) const;
  void check_samples(std::span<const int64_t> indexes) const;
  void check_bytes(const std::vector<Column>& columns, std::span<const uint32_t> slots,
                   size_t spared_bytes) const;
  Field* find_field(const std::string& name) const noexcept;
  Field& obtain_field(const std::string& name);
  std::string field_names() const;

  Capacity capacity_;
  wire::Limits limits_;
  SsdPointer offload_;
  std::vector<std::unique_ptr<Field>> fields_;  // in the order in which they were first seen
  std::unordered_map<std::string, size_t> field_numbers_;
  SlotTable slots_;
  size_t bytes_stored_ = 0;
};

}  // namespace tq::storage
