// SPDX-License-Identifier: Apache-2.0
// {"do": "get_meta", "fields": [...], "batch_size": 4, "partition": P, "task": T} and so on.
#include "interop/client_metadata.h"

#include <map>

#include "interop/client_json.h"
#include "support/canonical.h"
#include "support/from_canonical.h"
#include "wire/batch_meta.h"

namespace tq::test {
namespace {

using Client = std::unique_ptr<TransferQueueClient>;

Json look_up(Client& client, const Json& c) {
  const std::string partition = c.at("partition");
  const BatchMeta meta =
      client->kv_retrieve_meta(names(c, "keys"), partition, c.value("create", false));
  Json fields = Json::array();
  for (const auto& [name, schema] : meta.field_schema) fields.push_back(name);
  Json keys = Json::array();
  for (const auto& key : client->kv_retrieve_keys(meta.global_indexes, partition)) {
    keys.push_back(key ? Json(*key) : Json(nullptr));
  }
  return {{"global_indexes", meta.global_indexes},
          {"fields", std::move(fields)},
          {"ready", meta.is_ready()},
          {"keys", std::move(keys)}};
}

// A put under metadata that the controller may have forgotten.
Json put_rows(Client& client, const Json& c) {
  BatchMeta meta;
  meta.global_indexes = c.at("global_indexes").get<std::vector<int64_t>>();
  meta.partition_ids = {c.at("partition").get<std::string>()};
  client->put(batch_from(c.at("columns")), meta);
  return nullptr;
}

Json get_meta(Client& client, const Json& c) {
  GetMetaOptions options;
  const std::string mode = c.value("mode", "fetch");
  if (mode == "insert") options.mode = GetMetaMode::kInsert;
  if (mode == "force_fetch") options.mode = GetMetaMode::kForceFetch;
  options.task_name = c.value("task", "");
  options.sampling_config = *tag_from(c.value("sampling_config", Json::object()));
  options.sampler = c.value("sampler", "");
  options.sampler_arguments = *tag_from(c.value("sampler_arguments", Json::object()));
  if (c.contains("wait_ms"))
    options.wait = std::chrono::milliseconds(c.at("wait_ms").get<int64_t>());
  const BatchMeta meta =
      client->get_meta(names(c, "fields"), c.at("batch_size"), c.at("partition"), options);
  return {{"global_indexes", meta.global_indexes},
          {"production_status", meta.production_status},
          {"ready", meta.is_ready()}};
}

// A put of new samples by partition.
Json put_new(Client& client, const Json& c) {
  return client->put(batch_from(c.at("columns")), c.at("partition").get<std::string>())
      .global_indexes;
}

Json consumption(Client& client, const Json& c) {
  const std::string task = c.at("task");
  const std::string partition = c.at("partition");
  const ConsumptionStatus status = client->get_consumption_status(task, partition);
  return {{"global_indexes", status.global_indexes},
          {"consumed", status.consumed},
          {"all", client->check_consumption_status(task, partition)}};
}

Json production(Client& client, const Json& c) {
  const std::string partition = c.at("partition");
  const ProductionStatus status = client->get_production_status(names(c, "fields"), partition);
  return {{"global_indexes", status.global_indexes},
          {"fields", status.fields},
          {"produced", status.produced},
          {"all", client->check_production_status(names(c, "fields"), partition)}};
}

Json reset(Client& client, const Json& c) {
  std::optional<std::string> task;
  if (c.contains("task")) task = c.at("task").get<std::string>();
  client->reset_consumption(c.at("partition"), task);
  return nullptr;
}

// An operation on BatchMetas, which come and go as pickles.
Json meta(Client&, const Json& c) {
  std::vector<BatchMeta> metas;
  for (const Json& pickle : c.at("metas")) {
    metas.push_back(wire::read_batch_meta(
        Value(Opaque{1, Slice::own(from_base64(pickle.get<std::string>()))}), wire::Limits{}));
  }
  const std::string op = c.at("op");
  const auto positions = c.value("positions", std::vector<size_t>());
  std::vector<BatchMeta> result;
  if (op == "copy") result = {metas.at(0)};
  if (op == "select_samples") result = {metas.at(0).select_samples(positions)};
  if (op == "select_fields") result = {metas.at(0).select_fields(names(c, "names"))};
  if (op == "reorder") result = {metas.at(0).reorder(positions)};
  if (op == "chunk") result = metas.at(0).chunk(c.at("chunks"));
  if (op == "chunk_by_partition") result = metas.at(0).chunk_by_partition();
  if (op == "union") result = {metas.at(0).merged_with(metas.at(1))};
  if (op == "concat") result = {BatchMeta::concat(metas, c.value("validate", true))};
  if (op == "add_fields") result = {metas.at(0).with_data_fields(batch_from(c.at("columns")))};
  if (op == "update_custom_meta") {
    std::vector<Map> entries;
    for (const Json& tag : c.at("tags")) entries.push_back(*tag_from(tag));
    result = {metas.at(0).with_custom_meta(entries)};
  }
  Json pickles = Json::array();
  for (const BatchMeta& one : result) pickles.push_back(base64(wire::pickle_batch_meta(one)));
  return pickles;
}

Json kv_meta(Client&, const Json& c) {
  std::vector<KVBatchMeta> metas;
  for (const Json& json : c.at("metas")) metas.push_back(meta_from(json));
  const std::string op = c.at("op");
  std::vector<KVBatchMeta> result;
  if (op == "select_keys") result = {metas.at(0).select_keys(names(c, "names"))};
  if (op == "reorder") {
    result = {metas.at(0).reorder(c.at("positions").get<std::vector<size_t>>())};
  }
  if (op == "chunk") result = metas.at(0).chunk(c.at("chunks"));
  if (op == "concat") result = {KVBatchMeta::concat(metas)};
  Json json = Json::array();
  for (const KVBatchMeta& one : result) json.push_back(json_of(one));
  return json;
}

// set_custom_meta over the metadata of several partitions: [[partition, index, tag], ...].
Json set_tags(Client& client, const Json& c) {
  BatchMeta meta;
  for (const Json& entry : c.at("tags")) {
    meta.partition_ids.push_back(entry.at(0));
    meta.global_indexes.push_back(entry.at(1));
    meta.custom_meta.push_back(from_canonical(entry.at(2)));
  }
  if (c.value("one_partition_for_all", false)) meta.partition_ids.resize(1);
  client->set_custom_meta(meta);
  return nullptr;
}

}  // namespace

ClientCommand find_metadata_command(const std::string& name) {
  static const std::map<std::string, ClientCommand> table = {
      {"look_up", look_up},
      {"put_rows", put_rows},
      {"get_meta", get_meta},
      {"put_new", put_new},
      {"consumption", consumption},
      {"production", production},
      {"reset", reset},
      {"meta", meta},
      {"kv_meta", kv_meta},
      {"set_tags", set_tags},
  };
  const auto found = table.find(name);
  return found != table.end() ? found->second : nullptr;
}

}  // namespace tq::test
