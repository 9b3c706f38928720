// SPDX-License-Identifier: Apache-2.0
// How the answers to the simulation's questions are judged.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "simulation/controller_simulation.h"
#include "wire/unpack.h"

namespace tq::test {
namespace {

template <class Item>
std::vector<int64_t> items_of(const wire::Tensor& tensor) {
  std::vector<int64_t> items;
  for (size_t at = 0; at < tensor.data.size; at += sizeof(Item)) {
    Item item;
    std::memcpy(&item, tensor.data.data + at, sizeof item);
    items.push_back(item);
  }
  return items;
}

}  // namespace

void ControllerSimulation::check_meta(const wire::BatchMeta& meta, const std::string& partition,
                                      const Indexes& indexes,
                                      const std::vector<int8_t>& production) {
  require(meta.global_indexes == indexes,
          fmt::format("samples [{}] in place of [{}]", fmt::join(meta.global_indexes, ", "),
                      fmt::join(indexes, ", ")));
  require(meta.production_status == production, "another production status");
  const auto& samples = model_.find(partition)->samples;
  for (size_t i = 0; i < indexes.size(); ++i) {
    require(meta.partition_of(i) == partition, "a sample of another partition");
    const wire::Value* tag = meta.custom_meta[i].find("tag");
    const auto* number = tag != nullptr ? tag->get_if<int64_t>() : nullptr;
    const std::optional<int64_t> got = number != nullptr ? std::optional(*number) : std::nullopt;
    require(got == samples.at(indexes[i]).tag, "a sample has another's tag, or an old one");
  }
}

void ControllerSimulation::judge_consumption(const std::string& id, size_t task,
                                             wire::Envelope& reply) {
  const auto body = wire::unpack_body<wire::ConsumptionResponse>(reply.body, {});
  const auto* partition = model_.find(id);
  require(body.global_index.has_value() == (partition != nullptr), "another partition is there");
  if (partition == nullptr) return;
  Indexes indexes, status;
  for (const auto& [index, sample] : partition->samples) {
    indexes.push_back(index);
    status.push_back(sample.consumed_by[task] != ControllerModel::kNobody ? 1 : 0);
  }
  require(items_of<int64_t>(*body.global_index) == indexes, "other samples in consumption");
  require(items_of<int8_t>(*body.consumption_status) == status, "another consumption status");
}

void ControllerSimulation::judge_production(const std::string& id,
                                            const std::vector<size_t>& fields,
                                            wire::Envelope& reply) {
  const auto body = wire::unpack_body<wire::ProductionResponse>(reply.body, {});
  const auto* partition = model_.find(id);
  bool is_known = partition != nullptr && !fields.empty();
  for (size_t field : fields) is_known = is_known && partition->has_field(field);
  require(body.production_status.has_value() == is_known, "other fields are known");
  if (!is_known) return;
  Indexes status;
  for (const auto& [index, sample] : partition->samples) {
    for (size_t field : partition->fields) {  // in order of registration
      const bool wanted = std::find(fields.begin(), fields.end(), field) != fields.end();
      if (wanted) status.push_back(sample.produced[field] ? 1 : 0);
    }
  }
  require(items_of<int8_t>(*body.production_status) == status, "another production status");
}

void ControllerSimulation::judge_list(const std::string& id, wire::Envelope& reply) {
  const auto body = wire::unpack_body<wire::KvListResponse>(reply.body, {});
  std::map<std::string, std::optional<int64_t>> expected, got;
  if (const auto* partition = model_.find(id)) {
    for (const auto& [key, index] : partition->keys) {
      expected[key] = partition->samples.at(index).tag;
    }
  }
  if (!body.partition_info.empty()) {
    for (const auto& [key, tag] : body.partition_info.at(0).second) {
      const wire::Value* number = tag.find("tag");
      got[key] = number != nullptr ? std::optional(*number->get_if<int64_t>()) : std::nullopt;
    }
  }
  require(got == expected, "other keys or tags are listed");
}

void ControllerSimulation::judge_partition_meta(const std::string& id, wire::Envelope& reply) {
  const auto body = wire::unpack_body<wire::GetPartitionMetaResponse>(reply.body, {});
  const auto* partition = model_.find(id);
  require(body.metadata.has_value() == (partition != nullptr), "another partition is there");
  if (partition == nullptr) return;
  Indexes indexes;
  for (const auto& [index, sample] : partition->samples) indexes.push_back(index);
  check_meta(*body.metadata, id, indexes,
             ControllerModel::production(*partition, indexes, partition->fields));
  learn(id, indexes);
}

}  // namespace tq::test
