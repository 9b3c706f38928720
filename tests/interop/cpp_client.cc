// SPDX-License-Identifier: Apache-2.0
// The C++ client, driven by tests in Python: one JSON object a line on stdin, one answer a line on
// stdout, each with the `id` of its command.
//
//   {"id": 1, "do": "connect", "info_dir": DIR, "deadline_ms": 10000, "ignore_missing": false}
//   {"id": 2, "do": "put", "keys": [...], "partition": P, "columns": [[NAME, COLUMN], ...]}
//   -> {"id": 2, "ok": ..., "seconds": 0.01}   or   {"id": 2, "error": {...}, "seconds": 4.0}
//
// `via` says how the client is called: "call" (default), "future", "callback", or "thread": the
// blocking call on a thread of its own, so that commands after it go on meanwhile.
#include <signal.h>

#include <chrono>
#include <future>
#include <iostream>
#include <map>
#include <mutex>
#include <thread>

#include "interop/client_checkpoint.h"
#include "interop/client_json.h"
#include "interop/client_waiting.h"
#include "support/canonical.h"
#include "support/from_canonical.h"
#include "wire/batch_meta.h"

namespace tq::test {
namespace {

using Clock = std::chrono::steady_clock;

class Driver {
 public:
  void run();

 private:
  using Command = Json (Driver::*)(const Json&);
  static const std::map<std::string, Command>& commands();

  Json connect(const Json& c);
  Json close(const Json&);
  Json put(const Json& c);
  Json put_one(const Json& c);
  Json get(const Json& c);
  Json get_by_meta(const Json& c);
  Json copy(const Json& c);
  Json list(const Json& c);
  Json clear(const Json& c);
  Json look_up(const Json& c);
  Json put_rows(const Json& c);
  Json get_meta(const Json& c);
  Json put_new(const Json& c);
  Json consumption(const Json& c);
  Json production(const Json& c);
  Json reset(const Json& c);
  Json meta(const Json& c);
  Json kv_meta(const Json& c);
  Json set_tags(const Json& c);
  Json clear_partition(const Json& c);
  Json partitions(const Json&);
  Json storm(const Json& c);

  void answer(const Json& command);
  void print(const Json& line);

  std::unique_ptr<TransferQueueClient> client_;
  std::mutex out_mutex_;
  std::vector<std::thread> threads_;
};

std::vector<std::string> names(const Json& c, const char* key) {
  return c.value(key, std::vector<std::string>());
}

std::string via(const Json& c) { return c.value("via", "call"); }

GetForm form_of(const Json& c) {
  return c.value("form", "contiguous") == "rows" ? GetForm::kRows : GetForm::kContiguous;
}

Json Driver::connect(const Json& c) {
  ClientOptions options;
  options.deadline = std::chrono::milliseconds(c.value("deadline_ms", 10'000));
  options.ignore_missing = c.value("ignore_missing", false);
  Nodes nodes;
  if (c.contains("info_dir")) {
    nodes = Nodes::read(c.at("info_dir").get<std::string>());
  } else {
    nodes.controller = ServerInfo::from_json(c.at("controller").dump());
    for (const Json& unit : c.at("units")) {
      nodes.storage_units.push_back(ServerInfo::from_json(unit.dump()));
    }
  }
  client_ = std::make_unique<TransferQueueClient>(std::move(nodes), options);
  return client_->nodes().storage_units.size();
}

Json Driver::close(const Json&) {
  client_.reset();
  return nullptr;
}

Json Driver::put(const Json& c) {
  const auto keys = names(c, "keys");
  const std::string partition = c.at("partition");
  const Batch batch = batch_from(c.value("columns", Json::array()));
  std::vector<Map> tags;
  for (const Json& tag : c.value("tags", Json::array())) tags.push_back(*tag_from(tag));
  if (via(c) == "future") {
    return json_of(async_kv_batch_put(*client_, keys, partition, batch, tags).get());
  }
  if (via(c) == "callback") {
    Received<KVBatchMeta> received;
    async_kv_batch_put(*client_, keys, partition, batch, tags, received.callback());
    return json_of(received.wait());
  }
  return json_of(kv_batch_put(*client_, keys, partition, batch, tags));
}

Json Driver::put_one(const Json& c) {
  const std::string key = c.at("key");
  const std::string partition = c.at("partition");
  std::vector<std::pair<std::string, Value>> fields;
  for (const Json& field : c.value("fields", Json::array())) {
    fields.emplace_back(field.at(0), from_canonical(field.at(1)));
  }
  const std::optional<Map> tag = tag_from(c.value("tag", Json(nullptr)));
  if (via(c) == "future") {
    return json_of(async_kv_put(*client_, key, partition, fields, tag).get());
  }
  if (via(c) == "callback") {
    Received<KVBatchMeta> received;
    async_kv_put(*client_, key, partition, fields, tag, received.callback());
    return json_of(received.wait());
  }
  return json_of(kv_put(*client_, key, partition, fields, tag));
}

Json Driver::get(const Json& c) {
  const auto keys = names(c, "keys");
  const std::string partition = c.at("partition");
  const auto fields = names(c, "fields");
  if (via(c) == "future") {
    return json_of(async_kv_batch_get(*client_, keys, partition, fields, form_of(c)).get());
  }
  if (via(c) == "callback") {
    Received<Batch> received;
    async_kv_batch_get(*client_, keys, partition, fields, form_of(c), received.callback());
    return json_of(received.wait());
  }
  return json_of(kv_batch_get(*client_, keys, partition, fields, form_of(c)));
}

Json Driver::get_by_meta(const Json& c) {
  const KVBatchMeta meta = meta_from(c.at("meta"));
  const auto fields = names(c, "fields");
  if (via(c) == "future") {
    return json_of(async_kv_batch_get_by_meta(*client_, meta, fields, form_of(c)).get());
  }
  if (via(c) == "callback") {
    Received<Batch> received;
    async_kv_batch_get_by_meta(*client_, meta, fields, form_of(c), received.callback());
    return json_of(received.wait());
  }
  return json_of(kv_batch_get_by_meta(*client_, meta, fields, form_of(c)));
}

// Puts what was got under the same keys of another partition, without looking at it.
Json Driver::copy(const Json& c) {
  const auto keys = names(c, "keys");
  const Batch batch =
      kv_batch_get(*client_, keys, c.at("partition"), names(c, "fields"), form_of(c));
  return json_of(kv_batch_put(*client_, keys, c.at("to"), batch));
}

Json Driver::list(const Json& c) {
  std::optional<std::string> partition;
  if (c.contains("partition")) partition = c.at("partition").get<std::string>();
  if (via(c) == "future") return json_of(async_kv_list(*client_, partition).get());
  if (via(c) == "callback") {
    Received<KVListing> received;
    async_kv_list(*client_, partition, received.callback());
    return json_of(received.wait());
  }
  return json_of(kv_list(*client_, partition));
}

Json Driver::clear(const Json& c) {
  const auto keys = names(c, "keys");
  const std::string partition = c.at("partition");
  if (via(c) == "future") {
    async_kv_clear(*client_, keys, partition).get();
  } else if (via(c) == "callback") {
    Received<std::monostate> received;
    async_kv_clear(*client_, keys, partition, received.callback());
    received.wait();
  } else {
    kv_clear(*client_, keys, partition);
  }
  return nullptr;
}

Json Driver::look_up(const Json& c) {
  const std::string partition = c.at("partition");
  const BatchMeta meta =
      client_->kv_retrieve_meta(names(c, "keys"), partition, c.value("create", false));
  Json fields = Json::array();
  for (const auto& [name, schema] : meta.field_schema) fields.push_back(name);
  Json keys = Json::array();
  for (const auto& key : client_->kv_retrieve_keys(meta.global_indexes, partition)) {
    keys.push_back(key ? Json(*key) : Json(nullptr));
  }
  return {{"global_indexes", meta.global_indexes},
          {"fields", std::move(fields)},
          {"ready", meta.is_ready()},
          {"keys", std::move(keys)}};
}

// A put under metadata that the controller may have forgotten.
Json Driver::put_rows(const Json& c) {
  BatchMeta meta;
  meta.global_indexes = c.at("global_indexes").get<std::vector<int64_t>>();
  meta.partition_ids = {c.at("partition").get<std::string>()};
  client_->put(batch_from(c.at("columns")), meta);
  return nullptr;
}

Json Driver::get_meta(const Json& c) {
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
      client_->get_meta(names(c, "fields"), c.at("batch_size"), c.at("partition"), options);
  return {{"global_indexes", meta.global_indexes},
          {"production_status", meta.production_status},
          {"ready", meta.is_ready()}};
}

// A put of new samples by partition.
Json Driver::put_new(const Json& c) {
  return client_->put(batch_from(c.at("columns")), c.at("partition").get<std::string>())
      .global_indexes;
}

Json Driver::consumption(const Json& c) {
  const std::string task = c.at("task");
  const std::string partition = c.at("partition");
  const ConsumptionStatus status = client_->get_consumption_status(task, partition);
  return {{"global_indexes", status.global_indexes},
          {"consumed", status.consumed},
          {"all", client_->check_consumption_status(task, partition)}};
}

Json Driver::production(const Json& c) {
  const std::string partition = c.at("partition");
  const ProductionStatus status = client_->get_production_status(names(c, "fields"), partition);
  return {{"global_indexes", status.global_indexes},
          {"fields", status.fields},
          {"produced", status.produced},
          {"all", client_->check_production_status(names(c, "fields"), partition)}};
}

Json Driver::reset(const Json& c) {
  std::optional<std::string> task;
  if (c.contains("task")) task = c.at("task").get<std::string>();
  client_->reset_consumption(c.at("partition"), task);
  return nullptr;
}

// An operation on BatchMetas, which come and go as pickles.
Json Driver::meta(const Json& c) {
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

Json Driver::kv_meta(const Json& c) {
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
Json Driver::set_tags(const Json& c) {
  BatchMeta meta;
  for (const Json& entry : c.at("tags")) {
    meta.partition_ids.push_back(entry.at(0));
    meta.global_indexes.push_back(entry.at(1));
    meta.custom_meta.push_back(from_canonical(entry.at(2)));
  }
  if (c.value("one_partition_for_all", false)) meta.partition_ids.resize(1);
  client_->set_custom_meta(meta);
  return nullptr;
}

Json Driver::clear_partition(const Json& c) {
  client_->clear_partition(c.at("partition"));
  return nullptr;
}

Json Driver::partitions(const Json&) { return client_->get_partition_list(); }

// Rows that only this thread and round would write.
Tensor storm_rows(size_t thread, size_t round, size_t rows, size_t width) {
  std::vector<int64_t> numbers(rows * width);
  for (size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = static_cast<int64_t>((thread << 40) + (round << 20) + i);
  }
  const std::string_view bytes(reinterpret_cast<const char*>(numbers.data()), numbers.size() * 8);
  return {DType::int64,
          {static_cast<int64_t>(rows), static_cast<int64_t>(width)},
          Slice::copy_of(bytes)};
}

// Threads that share the client: each puts, gets, compares and clears rows of its own, round after
// round; all begin at once. Answers what went wrong.
Json Driver::storm(const Json& c) {
  const size_t count = c.at("threads"), rounds = c.at("rounds"), rows = c.at("rows");
  const size_t width = c.at("width");
  std::promise<void> begin;
  const std::shared_future<void> begun = begin.get_future().share();
  std::vector<std::future<std::string>> threads;
  for (size_t thread = 0; thread < count; ++thread) {
    threads.push_back(std::async(std::launch::async, [=, this]() -> std::string {
      const std::string partition = "storm-" + std::to_string(thread % 3);
      std::vector<std::string> keys;
      for (size_t i = 0; i < rows; ++i) {
        keys.push_back(std::to_string(thread) + "/" + std::to_string(i));
      }
      begun.wait();
      for (size_t round = 0; round < rounds; ++round) {
        const Tensor put = storm_rows(thread, round, rows, width);
        kv_batch_put(*client_, keys, partition, {{"x", Column::dense(put)}});
        const Batch got = kv_batch_get(*client_, keys, partition, {"x"});
        if (got.at("x").tensor().data.view() != put.data.view()) return "a wrong value";
        kv_clear(*client_, keys, partition);
      }
      return {};
    }));
  }
  begin.set_value();
  Json wrong = Json::array();
  for (auto& thread : threads) {
    try {
      const std::string what = thread.get();
      if (!what.empty()) wrong.push_back(what);
    } catch (const std::exception& error) {
      wrong.push_back(error.what());
    }
  }
  return wrong;
}

const std::map<std::string, Driver::Command>& Driver::commands() {
  static const std::map<std::string, Command> table = {
      {"connect", &Driver::connect},
      {"close", &Driver::close},
      {"put", &Driver::put},
      {"put_one", &Driver::put_one},
      {"get", &Driver::get},
      {"get_by_meta", &Driver::get_by_meta},
      {"copy", &Driver::copy},
      {"list", &Driver::list},
      {"clear", &Driver::clear},
      {"look_up", &Driver::look_up},
      {"put_rows", &Driver::put_rows},
      {"get_meta", &Driver::get_meta},
      {"put_new", &Driver::put_new},
      {"consumption", &Driver::consumption},
      {"production", &Driver::production},
      {"reset", &Driver::reset},
      {"meta", &Driver::meta},
      {"kv_meta", &Driver::kv_meta},
      {"set_tags", &Driver::set_tags},
      {"clear_partition", &Driver::clear_partition},
      {"partitions", &Driver::partitions},
      {"storm", &Driver::storm},
  };
  return table;
}

void Driver::print(const Json& line) {
  const std::string text = line.dump() + "\n";
  const std::lock_guard lock(out_mutex_);
  std::cout << text << std::flush;
}

void Driver::answer(const Json& command) {
  const auto started = Clock::now();
  Json line = {{"id", command.at("id")}};
  try {
    ClientCommand elsewhere = find_waiting_command(command.at("do"));
    if (elsewhere == nullptr) elsewhere = find_checkpoint_command(command.at("do"));
    line["ok"] = elsewhere != nullptr ? elsewhere(client_, command)
                                      : (this->*commands().at(command.at("do")))(command);
  } catch (const Error& error) {
    line["error"] = json_of(error);
  } catch (const std::exception& error) {  // a defect: all errors of the client are tq::Error
    line["error"] = {{"code", "not an Error of the client"}, {"message", error.what()}};
  }
  line["seconds"] = std::chrono::duration<double>(Clock::now() - started).count();
  print(line);
}

void Driver::run() {
  for (std::string text; std::getline(std::cin, text);) {
    Json command = Json::parse(text);
    if (via(command) == "thread") {
      threads_.emplace_back([this, command = std::move(command)] { answer(command); });
    } else {
      answer(command);
    }
  }
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace
}  // namespace tq::test

int main() {
  // A signal that a host program handles must not end a call; without SA_RESTART it interrupts.
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  sigaction(SIGUSR1, &action, nullptr);
  std::ios::sync_with_stdio(false);
  tq::test::Driver().run();
  return 0;
}
