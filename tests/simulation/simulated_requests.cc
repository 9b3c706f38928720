// SPDX-License-Identifier: Apache-2.0
// What the clients of the simulation say, and how each change is judged.
#include <fmt/format.h>

#include <algorithm>

#include "simulation/controller_simulation.h"
#include "wire/unpack.h"

namespace tq::test {
namespace {

constexpr double kMemorySeconds = 100;  // how long a client acts on what it saw
constexpr size_t kKnownMax = 400;

std::string field_name(size_t field) { return "field" + std::to_string(field); }
std::string task_name(size_t task) { return "task" + std::to_string(task); }

wire::Names names_of(const std::vector<size_t>& fields) {
  wire::Names names;
  for (size_t field : fields) names.push_back(field_name(field));
  return names;
}

wire::FieldUpdate dense_rows() {
  wire::PyObject dtype{wire::PyObject::Kind::kGlobal, "torch", "float32", {}, {}, {}, {}};
  return {wire::Value(std::move(dtype)), wire::Shape{2}, false, false, std::nullopt};
}

}  // namespace

std::vector<size_t> ControllerSimulation::some_fields() {
  std::vector<size_t> fields;
  for (size_t field = 0; field < ControllerModel::kFields; ++field) {
    if (chance(55)) fields.push_back(field);
  }
  if (chance(50)) std::reverse(fields.begin(), fields.end());
  return fields;
}

std::vector<ControllerSimulation::Known> ControllerSimulation::some_known(
    const std::string& partition, size_t count) {
  std::vector<Known> some;
  std::set<int64_t> taken;
  for (size_t tries = 0; tries < 4 * count && some.size() < count && !known_.empty(); ++tries) {
    const Known& known = known_[below(known_.size())];
    if (known.partition != partition || known.seen_at + kMemorySeconds < now_s_) continue;
    if (taken.insert(known.index).second) some.push_back(known);
  }
  return some;
}

void ControllerSimulation::learn(const std::string& partition, const Indexes& indexes) {
  for (int64_t index : indexes) {
    const Known known{partition, index, model_.birth_of(partition, index), now_s_};
    if (known_.size() < kKnownMax) {
      known_.push_back(known);
    } else {
      known_[below(kKnownMax)] = known;
    }
  }
}

template <class Sent>
void ControllerSimulation::send(const Sent& message, Judge judge) {
  send_frames(Sent::kType, wire::pack_request("client", controller_.id(), message),
              std::move(judge));
}

void ControllerSimulation::send_something() {
  const size_t choice = below(100);
  if (choice < 7) return send_insert();
  if (choice < 14) return send_retrieve();
  if (choice < 40) return send_notify();
  if (choice < 46) return send_tags();
  if (choice < 48) return send_mark();
  if (choice < 58) return send_clear();
  if (choice < 59) return chance(40) ? send_clear_partition() : send_reset();
  if (choice < 90) return send_fetch();
  if (choice < 98) return send_questions();
  send_nonsense();
}

// ---- samples come and go ----

void ControllerSimulation::send_insert() {
  const std::string partition = some_partition();
  const size_t count = below(9);
  send(wire::GetMeta{wire::Names{}, count, partition, "insert", std::nullopt, {}},
       [=, this](wire::Envelope& reply) {
         const Indexes expected = model_.register_samples(partition, count, now_s_);
         const auto body = wire::unpack_body<wire::GetMetaResponse>(reply.body, {});
         check_meta(body.metadata, partition, expected, std::vector<int8_t>(count, 0));
         for (int64_t index : expected) {
           counts_.reused_indexes += seen_indexes_.insert(index).second ? 0 : 1;
         }
         learn(partition, expected);
       });
}

void ControllerSimulation::send_retrieve() {
  const std::string partition = some_partition();
  const bool create = chance(70);
  wire::Names keys;
  for (size_t i = below(7); i > 0; --i) {
    const bool is_new = names_ < 5 || chance(50);
    keys.push_back(fmt::format("key{}", is_new ? names_++ : below(names_)));
  }
  if (!keys.empty() && chance(5)) keys.push_back(keys.front());
  send(wire::KvRetrieveMeta{keys, partition, create}, [=, this](wire::Envelope& reply) {
    const Indexes expected = model_.retrieve(partition, keys, create, now_s_);
    const auto body = wire::unpack_body<wire::KvRetrieveMetaResponse>(reply.body, {});
    if (model_.find(partition) == nullptr) {
      return require(body.metadata.size() == 0, "samples of a partition that is not there");
    }
    // It shows the fields that all of the samples have.
    bool has_field = false;
    for (size_t field : model_.find(partition)->fields) {
      bool has_all = true;
      for (int64_t index : expected) {
        has_all = has_all && model_.find(partition)->samples.at(index).produced[field];
      }
      has_field = has_field || has_all;
    }
    check_meta(body.metadata, partition, expected,
               std::vector<int8_t>(expected.size(), has_field ? 1 : 0));
    learn(partition, expected);
  });
}

// A request that names samples of which one was cleared, and its index has another owner, would
// show old data under it. That freed indexes rest is what must keep this from happening.
void ControllerSimulation::check_same(const std::vector<Known>& named) {
  for (const Known& known : named) {
    const uint64_t birth = model_.birth_of(known.partition, known.index);
    require(birth == 0 || birth == known.birth,
            fmt::format("a late request meets the next owner of index {}", known.index));
  }
}

void ControllerSimulation::send_notify() {
  const std::string partition = some_partition();
  const std::vector<Known> named = some_known(partition, 1 + below(10));
  const std::vector<size_t> fields = some_fields();
  wire::NotifyDataUpdate message{partition, {}, {}, {}};
  for (const Known& known : named) message.global_indexes.push_back(known.index);
  for (size_t field : fields) message.field_schema.emplace_back(field_name(field), dense_rows());
  const Indexes indexes = message.global_indexes;
  send(message, [=, this](wire::Envelope& reply) {
    check_same(named);
    const auto body = wire::unpack_body<wire::NotifyDataUpdateAck>(reply.body, {});
    const bool expected = model_.notify(partition, indexes, fields);
    counts_.refused_notifications += expected ? 0 : 1;
    require(body.success == expected,
            expected ? "a notification is refused: " + body.message.value_or("")
                     : "a notification of strangers is taken");
  });
}

void ControllerSimulation::send_tags() {
  const std::string partition = some_partition();
  const std::vector<Known> named = some_known(partition, 1 + below(5));
  std::map<int64_t, int64_t> tags;
  wire::SetCustomMeta message;
  message.partition_custom_meta.push_back({partition, {}});
  for (const Known& known : named) {
    tags[known.index] = ++tags_;
    message.partition_custom_meta[0].second.emplace_back(known.index, wire::Map{{"tag", tags_}});
  }
  send(message, [=, this](wire::Envelope& reply) {
    check_same(named);
    model_.set_tags(partition, tags);
    require(reply.request_type == wire::SetCustomMetaResponse::kType, "tags are refused");
  });
}

void ControllerSimulation::send_mark() {
  const std::string partition = some_partition();
  const std::vector<Known> named = some_known(partition, 1 + below(4));
  Indexes indexes;
  for (const Known& known : named) indexes.push_back(known.index);
  send(wire::MarkClearing{indexes, wire::Names(indexes.size(), partition)},
       [=, this](wire::Envelope& reply) {
         check_same(named);
         model_.withdraw(partition, indexes);
         require(reply.request_type == wire::MarkClearingResponse::kType, "a mark is refused");
       });
}

void ControllerSimulation::send_clear() {
  const std::string partition = some_partition();
  const std::vector<Known> named = some_known(partition, 1 + below(16));
  Indexes indexes;
  for (const Known& known : named) indexes.push_back(known.index);
  send(wire::ClearMeta{indexes, wire::Names(indexes.size(), partition)},
       [=, this](wire::Envelope& reply) {
         check_same(named);
         model_.clear(partition, indexes, now_s_);
         require(reply.request_type == wire::ClearMetaResponse::kType, "a clear is refused");
       });
}

void ControllerSimulation::send_clear_partition() {
  const std::string partition = some_partition();
  send(wire::ClearPartition{partition}, [=, this](wire::Envelope& reply) {
    model_.clear_partition(partition, now_s_);
    require(reply.request_type == wire::ClearPartitionResponse::kType, "a clear is refused");
  });
}

void ControllerSimulation::send_reset() {
  const std::string partition = some_partition();
  std::optional<size_t> task;
  if (chance(70)) task = below(ControllerModel::kTasks);
  wire::ResetConsumption message{partition, std::nullopt};
  if (task) message.task_name = task_name(*task);
  send(message, [=, this](wire::Envelope& reply) {
    model_.reset(partition, task);
    if (const auto* known = model_.find(partition)) {
      for (const auto& [index, sample] : known->samples) {
        for (size_t each = 0; each < ControllerModel::kTasks; ++each) {
          if (!task || *task == each) given_.erase({sample.birth, each});
        }
      }
    }
    require(wire::unpack_body<wire::ResetConsumptionResponse>(reply.body, {}).success,
            "a reset is refused");
  });
}

// ---- questions ----

void ControllerSimulation::send_fetch() {
  auto fetch = std::make_shared<Fetch>();
  fetch->partition = some_partition();
  fetch->task = below(ControllerModel::kTasks);
  fetch->fields = some_fields();
  fetch->batch_size = 1 + below(6);
  wire::GetMeta message{names_of(fetch->fields), fetch->batch_size,
                        fetch->partition,        "fetch",
                        task_name(fetch->task),  {}};
  std::optional<wire::Extension> extension;
  if (chance(25)) {
    fetch->sampler = chance(50) ? "GRPOGroupNSampler" : "RankAwareSampler";
    wire::Map arguments;
    if (fetch->sampler == "GRPOGroupNSampler") {
      fetch->batch_size += fetch->batch_size % 2;
      message.batch_size = fetch->batch_size;
      arguments = {{"n_samples_per_prompt", 2}};
    }
    extension.emplace().more = {{"sampler", fetch->sampler}, {"sampler_arguments", arguments}};
    fetch->is_keyed = fetch->sampler == "RankAwareSampler" || chance(60);
  }
  if (fetch->is_keyed) {
    fetch->rank = static_cast<int64_t>(below(3));
    fetch->batch_index = static_cast<int64_t>(counts_.requests / 5000 + below(3));
    message.sampling_config = wire::Map{{"dp_rank", fetch->rank},
                                        {"batch_index", fetch->batch_index},
                                        {"task_name", task_name(fetch->task)},
                                        {"partition_id", fetch->partition}};
  }
  send_frames("GET_META fetch", wire::pack_request("client", controller_.id(), message, extension),
              {}, fetch);
}

void ControllerSimulation::send_questions() {
  const std::string partition = some_partition();
  const size_t task = below(ControllerModel::kTasks);
  const std::vector<size_t> fields = some_fields();
  switch (below(5)) {
    case 0:
      return send(wire::GetConsumption{partition, task_name(task), std::nullopt},
                  [=, this](wire::Envelope& r) { judge_consumption(partition, task, r); });
    case 1:
      return send(wire::GetProduction{partition, names_of(fields)},
                  [=, this](wire::Envelope& r) { judge_production(partition, fields, r); });
    case 2:
      return send(wire::KvList{partition},
                  [=, this](wire::Envelope& r) { judge_list(partition, r); });
    case 3:
      return send(wire::GetListPartitions{}, [this](wire::Envelope& reply) {
        wire::Names expected;
        for (const auto& each : model_.partitions()) expected.push_back(each.id);
        const auto body = wire::unpack_body<wire::ListPartitionsResponse>(reply.body, {});
        require(body.partition_ids == expected, "other partitions are listed");
      });
    default:
      return send(wire::GetPartitionMeta{partition},
                  [=, this](wire::Envelope& r) { judge_partition_meta(partition, r); });
  }
}

// What makes no sense gets an error, and changes nothing: else a later comparison would show it.
void ControllerSimulation::send_nonsense() {
  const auto is_error = [this](wire::Envelope& reply) {
    require(reply.request_type == wire::RequestError::kType, "nonsense is answered");
  };
  const std::string partition = some_partition();
  const wire::Names fields = {field_name(0)};
  switch (below(4)) {
    case 0:
      return send(wire::GetMeta{fields, 0, partition, "fetch", "task0", {}}, is_error);
    case 1:
      return send(wire::GetMeta{fields, 3, partition, "take", "task0", {}}, is_error);
    case 2:
      return send(wire::ClearMeta{{0, 1}, {partition}}, is_error);
    default:
      return send(wire::GetData{fields, {0}}, is_error);  // of a storage unit
  }
}

}  // namespace tq::test
