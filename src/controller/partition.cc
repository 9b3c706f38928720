// SPDX-License-Identifier: Apache-2.0
#include "controller/partition.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "controller/detach.h"

namespace tq::controller {

wire::Indexes Partition::indexes() const {
  wire::Indexes active = active_.to_vector();
  if (pre_allocated_.empty()) return active;
  const wire::Indexes pre_allocated = pre_allocated_.to_vector();
  wire::Indexes all;
  all.reserve(active.size() + pre_allocated.size());
  std::merge(active.begin(), active.end(), pre_allocated.begin(), pre_allocated.end(),
             std::back_inserter(all));
  return all;
}

void Partition::pre_allocate(const wire::Indexes& indexes) {
  for (int64_t index : indexes) pre_allocated_.insert(index);
}

wire::Indexes Partition::activate_pre_allocated(size_t count) {
  wire::Indexes indexes = pre_allocated_.take_first(count);
  activate(indexes);
  return indexes;
}

void Partition::activate(const wire::Indexes& indexes) {
  for (int64_t index : indexes) active_.insert(index);
}

void Partition::clear(const IndexSet& rows) {
  active_.remove(rows);
  for (Field& field : fields_) {
    field.produced.remove(rows);
    if (!field.metadata.empty()) field.metadata.remove_samples(rows);
  }
  for (auto& [name, consumption] : tasks_) consumption.forget(rows);
  rows.for_each([&](int64_t index) {
    note_removal(index);
    keys_.erase_index(index);
    tags_.erase(index);
    backend_meta_.erase(index);
  });
}

std::optional<size_t> Partition::find_field(std::string_view name) const {
  const auto found = field_positions_.find(name);
  if (found == field_positions_.end()) return std::nullopt;
  return found->second;
}

size_t Partition::count_new_fields(
    const std::vector<std::pair<std::string, wire::FieldUpdate>>& updates) const {
  std::unordered_set<std::string_view> names;
  for (const auto& [name, update] : updates) {
    if (!find_field(name)) names.insert(name);
  }
  return names.size();
}

std::optional<std::string> Partition::produce(
    const IndexSet& rows, const std::vector<std::pair<std::string, wire::FieldUpdate>>& updates) {
  std::optional<std::string> conflict;
  pre_allocated_.remove(rows);
  active_.add(rows);
  for (const auto& [name, update] : updates) {
    Field& field = obtain_field(name);
    field.produced.add(rows);
    const std::optional<std::string> differs = field.metadata.update(update, rows);
    if (differs && !conflict) conflict = fmt::format("field '{}': {}", name, *differs);
  }
  if (changes_ != nullptr && !updates.empty()) rows.for_each([&](int64_t i) { note_change(i); });
  return conflict;
}

void Partition::withdraw(const IndexSet& rows) {
  for (Field& field : fields_) field.produced.remove(rows);
}

Consumption* Partition::find_task(const std::string& name) {
  const auto found = tasks_.find(name);
  return found != tasks_.end() ? &found->second : nullptr;
}

void Partition::reset_consumption(const std::optional<std::string>& task) {
  for (auto& [name, consumption] : tasks_) {
    if (!task || *task == name) consumption.reset();
  }
}

ReadyIndexes Partition::ready(const wire::Names& fields, const Consumption& task) const {
  return with_fields(fields, &task.consumed());
}

ReadyIndexes Partition::produced(const wire::Names& fields) const {
  return with_fields(fields, nullptr);
}

ReadyIndexes Partition::with_fields(const wire::Names& fields, const IndexSet* consumed) const {
  std::vector<const IndexSet*> produced;
  produced.reserve(std::max<size_t>(fields.size(), 1));
  for (const std::string& name : fields) {
    const std::optional<size_t> position = find_field(name);
    produced.push_back(position ? &fields_[*position].produced : &nothing_);
  }
  if (produced.empty()) produced.push_back(&active_);
  return ReadyIndexes(std::move(produced), consumed);
}

void Partition::assign_key(std::string_view key, int64_t index) {
  keys_.assign(key, index);
  note_change(index);
}

void Partition::set_tag(int64_t index, wire::Value tag) {
  const auto* entries = tag.get_if<wire::Map>();
  if (entries != nullptr && entries->empty()) {
    if (tags_.erase(index) == 0) return;  // as a put sets it: no change
  } else {
    tags_.insert_or_assign(index, std::move(tag));
  }
  note_change(index);
}

const wire::Value* Partition::find_tag(int64_t index) const {
  const auto found = tags_.find(index);
  return found != tags_.end() ? &found->second : nullptr;
}

void Partition::merge_backend_meta(int64_t index, const wire::Map& fields) {
  wire::Map& kept = backend_meta_[index];
  std::unordered_map<std::string, size_t> places;  // a look-up each, however many fields there are
  const auto text_of = [](const wire::Value& name) {
    const auto* text = name.get_if<std::string>();
    return text != nullptr ? *text : std::string();
  };
  for (size_t i = 0; i < kept.size(); ++i) places.emplace(text_of(kept[i].first), i);
  for (const auto& [name, value] : fields) {
    const auto [place, is_new] = places.emplace(text_of(name), kept.size());
    if (is_new) {
      kept.emplace_back(name, detach(value));
    } else {
      kept[place->second].second = detach(value);
    }
  }
}

const wire::Map* Partition::find_backend_meta(int64_t index) const {
  const auto found = backend_meta_.find(index);
  return found != backend_meta_.end() ? &found->second : nullptr;
}

const ChangeLog& Partition::changes(size_t removed_bytes_max) {
  if (changes_ == nullptr) changes_ = std::make_unique<ChangeLog>(removed_bytes_max);
  return *changes_;
}

void Partition::note_change(int64_t index) {
  if (changes_ != nullptr && keys_.key_of(index)) changes_->changed(index);
}

void Partition::note_removal(int64_t index) {
  if (changes_ == nullptr) return;
  const std::optional<std::string_view> key = keys_.key_of(index);
  if (key && keys_.find(*key) == index) changes_->removed(*key);
  changes_->forget(index);
}

void Partition::restore_samples(IndexSet active, IndexSet pre_allocated) {
  active_ = std::move(active);
  pre_allocated_ = std::move(pre_allocated);
}

void Partition::restore_field(const std::string& name, IndexSet produced, FieldMetadata metadata) {
  Field& field = obtain_field(name);
  field.produced = std::move(produced);
  field.metadata = std::move(metadata);
}

Field& Partition::obtain_field(const std::string& name) {
  if (const std::optional<size_t> position = find_field(name)) return fields_[*position];
  Field& field = fields_.emplace_back();
  field.name = name;
  field_positions_.emplace(field.name, fields_.size() - 1);
  return field;
}

}  // namespace tq::controller
