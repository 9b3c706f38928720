// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "controller/change_log.h"
#include "controller/consumption.h"
#include "controller/field_metadata.h"
#include "controller/index_set.h"
#include "controller/key_table.h"
#include "controller/ready_indexes.h"
#include "wire/messages.h"

namespace tq::controller {

/// A field of a partition. It stays registered when its samples are cleared, as upstream has it.
struct Field {
  std::string name;
  IndexSet produced;  // samples of which a consumer may read the field
  FieldMetadata metadata;
};

/// One partition: its samples, and for each its key, its tag, the fields that are produced and the
/// tasks that have consumed it.
///
/// A sample is a global index that the partition owns. It is active once a client registered it, or
/// pre-allocated: counted in the partition's size, so that a consumer can tell how much is to come,
/// and handed out to the next client that registers samples. Every set and table here holds owned
/// indexes only. Checks of what a peer sent come before these calls; they do not fail.
class Partition {
 public:
  explicit Partition(std::string id) : id_(std::move(id)) {}
  Partition(const Partition&) = delete;
  Partition& operator=(const Partition&) = delete;

  const std::string& id() const noexcept { return id_; }

  // ---- samples ----
  const IndexSet& active() const noexcept { return active_; }
  const IndexSet& pre_allocated() const noexcept { return pre_allocated_; }
  bool owns(int64_t index) const noexcept {
    return active_.contains(index) || pre_allocated_.contains(index);
  }
  /// All samples, ascending.
  wire::Indexes indexes() const;
  void pre_allocate(const wire::Indexes& indexes);
  /// Makes the first pre-allocated samples active, at most `count`, and returns them.
  wire::Indexes activate_pre_allocated(size_t count);
  void activate(const wire::Indexes& indexes);
  /// Forgets these active samples altogether.
  void clear(const IndexSet& rows);

  // ---- production ----
  /// In order of registration.
  const std::deque<Field>& fields() const noexcept { return fields_; }
  /// Position in fields(), or nothing.
  std::optional<size_t> find_field(std::string_view name) const;
  size_t count_new_fields(
      const std::vector<std::pair<std::string, wire::FieldUpdate>>& updates) const;
  /// Marks the samples produced in each field and active, and takes in valid updates. The sentence
  /// tells of the first field whose dtype is another than before; the others are taken in.
  std::optional<std::string> produce(
      const IndexSet& rows, const std::vector<std::pair<std::string, wire::FieldUpdate>>& updates);
  /// Nobody is to read these samples any more.
  void withdraw(const IndexSet& rows);

  // ---- consumption ----
  size_t task_count() const noexcept { return tasks_.size(); }
  bool has_task(const std::string& task) const { return tasks_.contains(task); }
  /// The task, created when it is new.
  Consumption& task(const std::string& name) { return tasks_[name]; }
  /// The task, or nullptr.
  Consumption* find_task(const std::string& name);
  /// By name, in no order.
  const std::unordered_map<std::string, Consumption>& tasks() const noexcept { return tasks_; }
  /// Of one task, or of all.
  void reset_consumption(const std::optional<std::string>& task);
  /// Samples with all these fields that the task has not consumed. An unknown field: none; no
  /// field: all active ones. The view shows later changes and must not outlive the partition.
  ReadyIndexes ready(const wire::Names& fields, const Consumption& task) const;
  /// The same, whoever has consumed them.
  ReadyIndexes produced(const wire::Names& fields) const;

  // ---- what clients attach to samples ----
  const KeyTable& keys() const noexcept { return keys_; }
  /// Lets the key stand for the sample, which must have none yet.
  void assign_key(std::string_view key, int64_t index);
  /// Replaces the sample's tag. A tag is a Map; it should not pin the message that it came in.
  void set_tag(int64_t index, wire::Value tag);
  /// The sample's tag, or nullptr for an empty one.
  const wire::Value* find_tag(int64_t index) const;
  /// Merges into what other storage backends noted on the sample, field by field.
  void merge_backend_meta(int64_t index, const wire::Map& fields);
  /// A Map of field to value, or nullptr.
  const wire::Map* find_backend_meta(int64_t index) const;

  // ---- watching ----
  /// What changes of the keys, their tags and which of their fields are produced: kept from the
  /// first call on, so that a partition that nobody watches pays nothing.
  const ChangeLog& changes(size_t removed_bytes_max);

  // ---- checkpoints: all there is, and into a fresh partition ----
  /// Calls visit(const std::string& name, const Consumption&).
  template <class Visit>
  void for_each_task(Visit&& visit) const {
    for (const auto& [name, task] : tasks_) visit(name, task);
  }
  const std::unordered_map<int64_t, wire::Value>& tags() const noexcept { return tags_; }
  const std::unordered_map<int64_t, wire::Map>& backend_meta() const noexcept {
    return backend_meta_;
  }
  /// See KeyTable::restore().
  IndexSet restore_keys(wire::Value& map, const wire::Limits& limits) {
    return keys_.restore(map, limits);
  }
  void restore_samples(IndexSet active, IndexSet pre_allocated);
  void restore_field(const std::string& name, IndexSet produced, FieldMetadata metadata);

 private:
  ReadyIndexes with_fields(const wire::Names& fields, const IndexSet* consumed) const;
  Field& obtain_field(const std::string& name);
  void note_change(int64_t index);
  void note_removal(int64_t index);

  std::string id_;
  IndexSet active_;
  IndexSet pre_allocated_;
  const IndexSet nothing_;    // what is produced of a field that is not there
  std::deque<Field> fields_;  // a deque: a field stays where it is, so its name can key the map
  std::unordered_map<std::string_view, size_t> field_positions_;
  std::unordered_map<std::string, Consumption> tasks_;
  KeyTable keys_;
  std::unique_ptr<ChangeLog> changes_;
  // Most samples have neither: a put sends an empty tag for each row, which takes no room here.
  std::unordered_map<int64_t, wire::Value> tags_;
  std::unordered_map<int64_t, wire::Map> backend_meta_;
};

}  // namespace tq::controller
