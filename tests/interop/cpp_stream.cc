// SPDX-License-Identifier: Apache-2.0
// A C++ stream, driven by tests in Python as cpp_client.cc is: one JSON object a line on stdin, one
// answer a line on stdout.
//
//   {"id": 1, "do": "open", "info_dir": DIR, "batch_size": 4, "micro_batch_size": 2,
//    "fields": ["x"], "partition": P, "task": T, "dp_rank": 0, "check": true, "workers": 2}
//   {"id": 2, "do": "next"}
//   -> {"id": 2, "ok": {"columns": {NAME: COLUMN, ...}, "global_indexes": [...]}, "seconds": 0.01}
//      or {"id": 2, "ok": null, ...} at the end of the epoch, or {"id": 2, "error": {...}, ...}
#include <chrono>
#include <iostream>
#include <variant>

#include "interop/client_json.h"
#include "transfer_queue/stream.h"

namespace tq::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

class Driver {
 public:
  Json answer(const Json& command);

 private:
  void open(const Json& c);
  template <class Do>
  auto with_stream(Do&& call) {
    return loader_ ? call(*loader_) : call(*dataset_);
  }

  std::optional<StreamingDataset> dataset_;    // without workers
  std::optional<StreamingDataLoader> loader_;  // with them
};

Nodes nodes_of(const Json& c) {
  if (c.contains("info_dir")) return Nodes::read(c.at("info_dir").get<std::string>());
  Nodes nodes;
  nodes.controller = ServerInfo::from_json(c.at("controller").dump());
  for (const Json& unit : c.at("units")) {
    nodes.storage_units.push_back(ServerInfo::from_json(unit.dump()));
  }
  return nodes;
}

void Driver::open(const Json& c) {
  StreamingDatasetOptions options;
  options.batch_size = c.at("batch_size");
  options.micro_batch_size = c.at("micro_batch_size");
  options.data_fields = c.at("fields").get<std::vector<std::string>>();
  options.partition_id = c.at("partition");
  options.task_name = c.at("task");
  options.dp_rank = c.at("dp_rank");
  options.should_check_consumption_status = c.value("check", false);
  if (c.contains("patience_ms")) options.patience = milliseconds(c.at("patience_ms"));
  options.client.deadline = milliseconds(c.value("deadline_ms", 10'000));
  loader_.reset();
  dataset_.emplace(nodes_of(c), options);
  const size_t workers = c.value("workers", 0);
  if (workers == 0) return;
  loader_.emplace(std::move(*dataset_), StreamingDataLoaderOptions{workers, c.value("ahead", 1u)});
  dataset_.reset();
}

Json Driver::answer(const Json& c) {
  const std::string what = c.at("do");
  if (what == "open") {
    open(c);
  } else if (what == "next") {
    const auto batch = with_stream([](auto& stream) { return stream.next(); });
    if (!batch) return nullptr;
    return {{"columns", json_of(batch->data)}, {"global_indexes", batch->meta.global_indexes}};
  } else if (what == "reset") {
    with_stream([](auto& stream) { stream.reset(); });
  } else if (what == "step") {
    with_stream([&](auto& stream) { stream.step(c.at("partition").get<std::string>()); });
  } else {
    throw std::invalid_argument("no command: " + what);
  }
  return nullptr;
}

void run() {
  Driver driver;
  for (std::string text; std::getline(std::cin, text);) {
    const Json command = Json::parse(text);
    const auto started = Clock::now();
    Json line = {{"id", command.at("id")}};
    try {
      line["ok"] = driver.answer(command);
    } catch (const Error& error) {
      line["error"] = json_of(error);
    } catch (const std::exception& error) {  // a defect: all errors of a stream are tq::Error
      line["error"] = {{"code", "not an Error of the stream"}, {"message", error.what()}};
    }
    line["seconds"] = std::chrono::duration<double>(Clock::now() - started).count();
    std::cout << line.dump() << std::endl;
  }
}

}  // namespace
}  // namespace tq::test

int main() {
  tq::test::run();
  return 0;
}
