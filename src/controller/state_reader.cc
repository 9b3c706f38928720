// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <optional>

#include "controller/detach.h"
#include "controller/saved.h"
#include "controller/state_file.h"
#include "transfer_queue/error.h"

namespace tq::controller {
namespace {

using checkpoint::Section;
using checkpoint::Tag;
using saved::fail;
using wire::Value;

class StateReader {
 public:
  StateReader(checkpoint::Reader& reader, const ControllerConfig& config, runtime::TimePoint now)
      : reader_(reader), limits_(config.limits), now_(now), state_(config) {}

  SavedState read() {
    std::optional<Section> section;
    while ((section = reader_.next())) {
      try {
        take(*section);
      } catch (const Error& error) {  // of a part, which knows no file
        reader_.fail(section->at, error.what());
      }
    }
    try {
      check_whole();
    } catch (const Error& error) {
      reader_.fail(0, error.what());
    }
    return std::move(state_);
  }

 private:
  void take(Section& section) {
    Value& map = section.value;
    if (!announced_ && section.tag != Tag::kController) fail("it does not begin with a controller");
    switch (section.tag) {
      case Tag::kController:
        announced_ = saved::take<int64_t>(map, "partitions", limits_);
        state_.id = saved::take<std::string>(map, "controller_id", limits_);
        return;
      case Tag::kIndexes:
        state_.indexes.restore(map, limits_, now_);
        has_indexes_ = true;
        return;
      case Tag::kSampler:
        state_.samplers.push_back(std::move(map));
        return;
      case Tag::kPartition:
        return begin_partition(map);
      default:
        if (partition_ == nullptr) fail("there is no partition before it");
        return take_part(section.tag, map);
    }
  }

  void begin_partition(Value& map) {
    auto id = saved::take<std::string>(map, "id", limits_);
    if (state_.partitions.find(id) != nullptr)
      fail(fmt::format("partition '{}' is there twice", id));
    if (state_.partitions.size() >= limits_.partitions_max) {
      fail(fmt::format("there are more than {} partitions", limits_.partitions_max));
    }
    partition_ = &state_.partitions.create(id);
    IndexSet active = saved::take_index_set(map, "active", limits_);
    IndexSet pre_allocated = saved::take_index_set(map, "pre_allocated", limits_);
    claim(active);
    claim(pre_allocated);
    owned_.clear();
    owned_.add(active);
    owned_.add(pre_allocated);
    partition_->restore_samples(std::move(active), std::move(pre_allocated));
    has_keys_ = false;
  }

  void take_part(Tag tag, Value& map) {
    switch (tag) {
      case Tag::kField:
        return take_field(map);
      case Tag::kTask:
        return take_task(map);
      case Tag::kKeys:
        return take_keys(map);
      case Tag::kTags:
        return for_each_sample(map, [&](int64_t index, const Value& tag_of_sample) {
          partition_->set_tag(index, detach(tag_of_sample));
        });
      case Tag::kBackendMeta:
        return for_each_sample(map, [&](int64_t index, const Value& meta) {
          partition_->merge_backend_meta(index, *meta.get_if<wire::Map>());
        });
      default:
        fail(fmt::format("a section {} does not belong here", static_cast<uint32_t>(tag)));
    }
  }

  void take_field(Value& map) {
    const auto name = saved::take<std::string>(map, "name", limits_);
    if (partition_->find_field(name)) fail(fmt::format("field '{}' is there twice", name));
    if (partition_->fields().size() >= limits_.fields_max) {
      fail(fmt::format("there are more than {} fields", limits_.fields_max));
    }
    IndexSet produced = saved::take_index_set(map, "produced", limits_);
    require_owned(produced, name);
    FieldMetadata metadata = FieldMetadata::from_value(saved::at(map, "metadata"), limits_);
    require_owned(metadata.rows(), name);
    partition_->restore_field(name, std::move(produced), std::move(metadata));
  }

  void take_task(Value& map) {
    const auto name = saved::take<std::string>(map, "name", limits_);
    if (partition_->has_task(name)) fail(fmt::format("task '{}' is there twice", name));
    if (partition_->task_count() >= limits_.tasks_max) {
      fail(fmt::format("there are more than {} tasks", limits_.tasks_max));
    }
    IndexSet consumed = saved::take_index_set(map, "consumed", limits_);
    require_owned(consumed, name);
    partition_->task(name).restore(std::move(consumed));
  }

  void take_keys(Value& map) {
    if (has_keys_) fail("the keys of the partition are there twice");
    has_keys_ = true;
    require_owned(partition_->restore_keys(map, limits_), "keys");
  }

  template <class Visit>
  void for_each_sample(Value& map, Visit&& visit) {
    const std::vector<int64_t> indexes = saved::take_numbers(map, "indexes");
    const auto* values = saved::at(map, "values").get_if<wire::Array>();
    if (values == nullptr || values->size() != indexes.size()) {
      fail("there are not as many values as indexes");
    }
    for (size_t i = 0; i < indexes.size(); ++i) {
      if (indexes[i] < 0 || !owned_.contains(indexes[i])) {
        fail(fmt::format("sample {} is not the partition's", indexes[i]));
      }
      if ((*values)[i].get_if<wire::Map>() == nullptr) {
        fail(fmt::format("what is attached to sample {} is no dict", indexes[i]));
      }
      visit(indexes[i], (*values)[i]);
    }
  }

  // An index belongs to one partition, or is free, or rests.
  void claim(const IndexSet& indexes) {
    const size_t before = claimed_.size();
    claimed_.add(indexes);
    if (claimed_.size() != before + indexes.size()) fail("a global index is in two places");
  }

  void require_owned(const IndexSet& rows, const std::string& name) const {
    if (!owned_.contains_all(rows)) {
      fail(fmt::format("'{}' is of samples that are not the partition's", name));
    }
  }

  void check_whole() {
    if (!announced_ || !has_indexes_) fail("parts of a controller are missing");
    if (static_cast<size_t>(*announced_) != state_.partitions.size()) {
      fail(fmt::format("it announces {} partitions and has {}", *announced_,
                       state_.partitions.size()));
    }
    state_.indexes.for_each_set([&](const IndexSet& set) { claim(set); });
    if (!state_.indexes.has_given_out(claimed_)) {
      fail("there are global indexes that were never given out");
    }
  }

  checkpoint::Reader& reader_;
  const wire::Limits& limits_;
  const runtime::TimePoint now_;
  SavedState state_;
  std::optional<int64_t> announced_;  // partitions
  bool has_indexes_ = false;
  Partition* partition_ = nullptr;  // the one that sections belong to now
  IndexSet owned_;                  // its samples
  bool has_keys_ = false;
  IndexSet claimed_;
};

}  // namespace

SavedState read_state(checkpoint::Reader& reader, const ControllerConfig& config,
                      runtime::TimePoint now) {
  return StateReader(reader, config, now).read();
}

}  // namespace tq::controller
