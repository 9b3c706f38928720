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
#include "interop/client_metadata.h"
#include "interop/client_storm.h"
#include "interop/client_waiting.h"
#include "support/canonical.h"
#include "support/from_canonical.h"

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
  Json clear_partition(const Json& c);
  Json partitions(const Json&);

  void answer(const Json& command);
  void print(const Json& line);

  std::unique_ptr<TransferQueueClient> client_;
  std::mutex out_mutex_;
  std::vector<std::thread> threads_;
};

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

Json Driver::clear_partition(const Json& c) {
  client_->clear_partition(c.at("partition"));
  return nullptr;
}

Json Driver::partitions(const Json&) { return client_->get_partition_list(); }

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
      {"clear_partition", &Driver::clear_partition},
      {"partitions", &Driver::partitions},
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
    if (elsewhere == nullptr) elsewhere = find_metadata_command(command.at("do"));
    if (elsewhere == nullptr && command.at("do") == "storm") elsewhere = storm;
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
