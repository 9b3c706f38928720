// SPDX-License-Identifier: Apache-2.0
#include <iterator>

#include "controller/saved.h"
#include "controller/state_file.h"

namespace tq::controller {
namespace {

using checkpoint::Tag;
using wire::Map;
using wire::Value;

// Tags may be of any size; a section has as many as make a few megabytes.
constexpr size_t kSectionBytes = size_t{4} << 20;
constexpr size_t kSectionItems = 65536;

// About what a value takes in a file.
size_t weight(const Value& value);
size_t weight(const Map& map) {
  size_t total = 1;
  for (const auto& [key, entry] : map) total += weight(key) + weight(entry);
  return total;
}
size_t weight(const Value& value) {
  if (const auto* map = value.get_if<Map>()) return weight(*map);
  if (const auto* items = value.get_if<wire::Array>()) {
    size_t total = 1;
    for (const Value& item : *items) total += weight(item);
    return total;
  }
  constexpr size_t kAround = 8;
  return kAround + wire::payload_bytes(value);
}

void write(wire::Encoder& encoder, const Value& value) { encoder.value(value); }
void write(wire::Encoder& encoder, const Map& map) {
  encoder.map(map.size());
  for (const auto& [key, entry] : map) {
    encoder.value(key);
    encoder.value(entry);
  }
}

class StateWriter {
 public:
  StateSections take() { return std::move(sections_); }

  void add(Tag tag, const Value& value) {
    wire::Encoder encoder;
    encoder.value(value);
    sections_.emplace_back(tag, encoder.finish());
  }

  void add_partition(const Partition& partition) {
    add(Tag::kPartition, Map{{"id", partition.id()},
                             {"active", saved::index_set(partition.active())},
                             {"pre_allocated", saved::index_set(partition.pre_allocated())}});
    for (const Field& field : partition.fields()) {
      add(Tag::kField, Map{{"name", field.name},
                           {"produced", saved::index_set(field.produced)},
                           {"metadata", field.metadata.to_value()}});
    }
    partition.for_each_task([&](const std::string& name, const Consumption& task) {
      add(Tag::kTask, Map{{"name", name}, {"consumed", saved::index_set(task.consumed())}});
    });
    add(Tag::kKeys, partition.keys().to_value());
    add_by_index(Tag::kTags, partition.tags());
    add_by_index(Tag::kBackendMeta, partition.backend_meta());
  }

 private:
  // What is attached to samples: {"indexes": int64 [N], "values": [N values]} as often as it takes.
  template <class Table>
  void add_by_index(Tag tag, const Table& table) {
    for (auto first = table.begin(); first != table.end();) {
      std::vector<int64_t> indexes;
      size_t bytes = 0;
      auto end = first;
      while (end != table.end() && bytes < kSectionBytes && indexes.size() < kSectionItems) {
        indexes.push_back(end->first);
        bytes += weight(end->second);
        ++end;
      }
      wire::Encoder encoder;
      encoder.map(2);
      encoder.str("indexes");
      encoder.value(saved::numbers(indexes));
      encoder.str("values");
      encoder.array(indexes.size());
      for (; first != end; ++first) write(encoder, first->second);
      sections_.emplace_back(tag, encoder.finish());
    }
  }

  StateSections sections_;
};

}  // namespace

StateSections encode_state(const State& state, runtime::TimePoint now) {
  StateWriter writer;
  writer.add(Tag::kController, Map{{"controller_id", state.id},
                                   {"partitions", static_cast<int64_t>(state.partitions.size())}});
  writer.add(Tag::kIndexes, state.indexes.to_value(now));
  for (const Value& sampler : state.samplers.to_values()) writer.add(Tag::kSampler, sampler);
  for (const Partition& partition : state.partitions) writer.add_partition(partition);
  return writer.take();
}

}  // namespace tq::controller
