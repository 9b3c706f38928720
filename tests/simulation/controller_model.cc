// SPDX-License-Identifier: Apache-2.0
#include "simulation/controller_model.h"

#include <algorithm>
#include <stdexcept>

namespace tq::test {

bool ControllerModel::Partition::has_field(size_t field) const {
  return std::find(fields.begin(), fields.end(), field) != fields.end();
}

ControllerModel::Partition* ControllerModel::find(const std::string& id) {
  for (Partition& partition : partitions_) {
    if (partition.id == id) return &partition;
  }
  return nullptr;
}

uint64_t ControllerModel::birth_of(const std::string& id, int64_t index) {
  const Partition* partition = find(id);
  if (partition == nullptr) return 0;
  const auto sample = partition->samples.find(index);
  return sample != partition->samples.end() ? sample->second.birth : 0;
}

// The smallest that is free and has rested, else the next that never was.
ControllerModel::Indexes ControllerModel::allocate(size_t count, double now) {
  Indexes indexes;
  for (auto freed = freed_at_.begin(); freed != freed_at_.end() && indexes.size() < count;) {
    const bool rested = freed->second + rest_s_ <= now;
    if (rested) indexes.push_back(freed->first);
    freed = rested ? freed_at_.erase(freed) : std::next(freed);
  }
  while (indexes.size() < count) indexes.push_back(next_++);
  for (int64_t index : indexes) {
    if (!in_use_.insert(index).second) throw std::logic_error("the model gave an index out twice");
  }
  return indexes;
}

ControllerModel::Partition& ControllerModel::obtain(const std::string& id, double now) {
  if (Partition* partition = find(id)) return *partition;
  Partition& created = partitions_.emplace_back();
  created.id = id;
  for (int64_t index : allocate(pre_allocated_, now)) created.samples[index].birth = ++births_;
  return created;
}

ControllerModel::Indexes ControllerModel::register_samples(const std::string& id, size_t count,
                                                           double now) {
  Partition& partition = obtain(id, now);
  Indexes indexes;
  for (auto& [index, sample] : partition.samples) {
    if (sample.is_active || indexes.size() == count) continue;
    sample.is_active = true;
    indexes.push_back(index);
  }
  for (int64_t index : allocate(count - indexes.size(), now)) {
    Sample& sample = partition.samples[index];
    sample.birth = ++births_;
    sample.is_active = true;
    indexes.push_back(index);
  }
  return indexes;
}

ControllerModel::Indexes ControllerModel::retrieve(const std::string& id,
                                                   const std::vector<std::string>& keys,
                                                   bool create, double now) {
  std::vector<std::optional<int64_t>> found(keys.size());
  size_t missing = 0;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (const Partition* partition = find(id)) {
      const auto key = partition->keys.find(keys[i]);
      if (key != partition->keys.end()) found[i] = key->second;
    }
    missing += found[i] ? 0 : 1;
  }
  if (create) {
    const Indexes fresh = register_samples(id, missing, now);
    Partition& partition = *find(id);
    auto next = fresh.begin();
    for (size_t i = 0; i < keys.size(); ++i) {
      if (found[i]) continue;
      found[i] = *next++;
      partition.keys[keys[i]] = *found[i];  // named twice: the key stands for the later
      partition.samples.at(*found[i]).key = keys[i];
    }
  }
  Indexes indexes;
  for (const auto& index : found) {
    if (index) indexes.push_back(*index);
  }
  return indexes;
}

bool ControllerModel::notify(const std::string& id, const Indexes& indexes,
                             const std::vector<size_t>& fields) {
  Partition* partition = find(id);
  if (partition == nullptr) return false;
  for (int64_t index : indexes) {
    if (!partition->samples.contains(index)) return false;
  }
  for (size_t field : fields) {
    if (!partition->has_field(field)) partition->fields.push_back(field);
    for (int64_t index : indexes) partition->samples.at(index).produced[field] = true;
  }
  for (int64_t index : indexes) partition->samples.at(index).is_active = true;
  return true;
}

void ControllerModel::set_tags(const std::string& id, const std::map<int64_t, int64_t>& tags) {
  Partition* partition = find(id);
  if (partition == nullptr) return;
  for (const auto& [index, tag] : tags) {
    const auto sample = partition->samples.find(index);
    if (sample != partition->samples.end()) sample->second.tag = tag;
  }
}

void ControllerModel::withdraw(const std::string& id, const Indexes& indexes) {
  Partition* partition = find(id);
  if (partition == nullptr) return;
  for (int64_t index : indexes) {
    const auto sample = partition->samples.find(index);
    if (sample != partition->samples.end() && sample->second.is_active) {
      sample->second.produced.fill(false);
    }
  }
}

void ControllerModel::clear(const std::string& id, const Indexes& indexes, double now) {
  Partition* partition = find(id);
  if (partition == nullptr) return;
  for (int64_t index : indexes) {
    const auto sample = partition->samples.find(index);
    if (sample == partition->samples.end() || !sample->second.is_active) continue;
    if (const auto& key = sample->second.key) {
      const auto entry = partition->keys.find(*key);
      if (entry != partition->keys.end() && entry->second == index) partition->keys.erase(entry);
    }
    partition->samples.erase(sample);
    in_use_.erase(index);
    free_index(index, now);
  }
}

void ControllerModel::clear_partition(const std::string& id, double now) {
  const Partition* partition = find(id);
  if (partition == nullptr) return;
  for (const auto& [index, sample] : partition->samples) {
    in_use_.erase(index);
    free_index(index, now);
  }
  partitions_.remove_if([&](const Partition& other) { return other.id == id; });
  std::erase_if(kept, [&](const auto& entry) { return std::get<1>(entry.first) == id; });
}

void ControllerModel::reset(const std::string& id, std::optional<size_t> task) {
  Partition* partition = find(id);
  if (partition == nullptr) return;
  for (auto& [index, sample] : partition->samples) {
    for (size_t each = 0; each < kTasks; ++each) {
      if (!task || *task == each) sample.consumed_by[each] = kNobody;
    }
  }
}

void ControllerModel::consume(Partition& partition, size_t task, const Indexes& indexes,
                              uint64_t fetch) {
  for (int64_t index : indexes) {
    uint64_t& consumer = partition.samples.at(index).consumed_by[task];
    if (consumer == kNobody) consumer = fetch;
  }
}

void ControllerModel::give_back(const std::string& id, size_t task, uint64_t fetch) {
  Partition* partition = find(id);
  if (partition == nullptr) return;
  for (auto& [index, sample] : partition->samples) {
    if (sample.consumed_by[task] == fetch) sample.consumed_by[task] = kNobody;
  }
}

ControllerModel::Indexes ControllerModel::ready(const Partition& partition,
                                                const std::vector<size_t>& fields, size_t task) {
  Indexes indexes;
  for (const auto& [index, sample] : partition.samples) {
    bool is_ready = sample.consumed_by[task] == kNobody && (!fields.empty() || sample.is_active);
    for (size_t field : fields) is_ready = is_ready && sample.produced[field];
    if (is_ready) indexes.push_back(index);
  }
  return indexes;
}

std::vector<int8_t> ControllerModel::production(const Partition& partition, const Indexes& indexes,
                                                const std::vector<size_t>& fields) {
  std::vector<int8_t> status;
  for (int64_t index : indexes) {
    const Sample& sample = partition.samples.at(index);
    size_t known = 0;
    size_t produced = 0;
    for (size_t field : fields) {
      if (!partition.has_field(field)) continue;
      ++known;
      produced += sample.produced[field] ? 1 : 0;
    }
    status.push_back(known > 0 && produced == known ? 1 : 0);
  }
  return status;
}

ControllerModel::KeptBatch ControllerModel::keep(const std::string& partition,
                                                 const Indexes& indexes) {
  KeptBatch batch{indexes, {}};
  for (int64_t index : indexes) batch.births.push_back(birth_of(partition, index));
  return batch;
}

bool ControllerModel::is_intact(const std::string& partition, const KeptBatch& batch) {
  for (size_t i = 0; i < batch.indexes.size(); ++i) {
    if (birth_of(partition, batch.indexes[i]) != batch.births[i]) return false;
  }
  return true;
}

}  // namespace tq::test
