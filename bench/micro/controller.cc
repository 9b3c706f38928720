// SPDX-License-Identifier: Apache-2.0
// What the controller's state machine costs, request by request, without sockets.
#include "controller/controller.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <chrono>

#include "wire/decode.h"
#include "wire/pack.h"

namespace tq::bench {
namespace {

/// A controller with a partition of keys of which four dense fields are produced.
class Partition {
 public:
  explicit Partition(int64_t samples) {
    wire::KvRetrieveMeta create;
    create.partition_id = "train";
    create.create = true;
    for (int64_t i = 0; i < samples; ++i) create.keys.push_back(fmt::format("key-{:012}", i));
    ask(create);
    ask(produced(samples));
  }

  template <class Message>
  runtime::Outcome ask(const Message& message) {
    const Frames frames = wire::pack_request("client", controller_.id(), message);
    return handle(frames);
  }
  /// Decodes and handles, as the event loop does.
  runtime::Outcome handle(const Frames& frames) {
    const auto now = std::chrono::steady_clock::now();
    runtime::Request request{std::move(wire::decode(frames, wire::Limits{}).value()), now};
    runtime::Outcome outcome = controller_.handle(request, now);
    controller_.take_changed_topics();
    return outcome;
  }

  static wire::NotifyDataUpdate produced(int64_t samples) {
    wire::FieldUpdate dense;
    dense.dtype = Value(PyObject{PyObject::Kind::kGlobal, "torch", "float32", {}, {}, {}, {}});
    dense.shape = Shape{16};
    dense.is_nested = false;
    dense.is_non_tensor = false;
    wire::NotifyDataUpdate notify;
    notify.partition_id = "train";
    for (int64_t i = 0; i < samples; ++i) notify.global_indexes.push_back(i);
    for (const char* name : {"a", "b", "c", "d"}) notify.field_schema.emplace_back(name, dense);
    return notify;
  }

 private:
  controller::Controller controller_{controller::ControllerConfig{}};
};

void look_up_one(benchmark::State& state) {
  Partition partition(state.range(0));
  wire::KvRetrieveMeta request;
  request.partition_id = "train";
  request.keys = {"key-000000000007"};
  const Frames frames = wire::pack_request("client", std::nullopt, request);
  for (auto _ : state) benchmark::DoNotOptimize(partition.handle(frames));
}
BENCHMARK(look_up_one)->Arg(1024)->Arg(1 << 20);

void notify(benchmark::State& state) {
  Partition partition(state.range(0));
  const Frames frames =
      wire::pack_request("client", std::nullopt, Partition::produced(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(partition.handle(frames));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(notify)->Arg(1)->Arg(1024)->Arg(65536);

// Each task begins anew, so that a fetch always finds as many.
void fetch_256(benchmark::State& state) {
  Partition partition(state.range(0));
  wire::GetMeta request;
  request.data_fields = {"a", "b", "c", "d"};
  request.batch_size = 256;
  request.partition_id = "train";
  int64_t fetches = 0;
  for (auto _ : state) {
    request.task_name = fmt::format("task-{}", fetches++ / (state.range(0) / 256));
    benchmark::DoNotOptimize(partition.ask(request));
  }
}
BENCHMARK(fetch_256)->Arg(1024)->Arg(1 << 20)->Iterations(2000);

void list(benchmark::State& state) {
  Partition partition(state.range(0));
  const Frames frames = wire::pack_request("client", std::nullopt, wire::KvList{"train"});
  for (auto _ : state) benchmark::DoNotOptimize(partition.handle(frames));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(list)->Arg(1024)->Arg(1 << 20);

}  // namespace
}  // namespace tq::bench
