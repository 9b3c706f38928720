// SPDX-License-Identifier: Apache-2.0
// LocalNodes as a program meets them: what starts, what serves, what is refused, what is left.
#include "transfer_queue/nodes.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>

#include "support/catch.h"
#include "support/own_threads.h"
#include "transfer_queue/kv.h"

namespace tq::test {
namespace {

using Catch::Matchers::Contains;
namespace fs = std::filesystem;

// Threads of this process that SIGTERM does not reach.
int threads_without_sigterm() {
  constexpr uint64_t kSigterm = uint64_t{1} << (15 - 1);
  int count = 0;
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    std::ifstream status(task.path() / "status");
    for (std::string word; status >> word;) {
      if (word != "SigBlk:") continue;
      status >> word;
      count += (std::stoull(word, nullptr, 16) & kSigterm) != 0;
    }
  }
  return count;
}

std::string refusal(LocalNodesOptions options) {
  try {
    LocalNodes nodes(std::move(options));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

GetMetaOptions task(const std::string& name) {
  GetMetaOptions options;
  options.task_name = name;
  return options;
}

Batch notes(std::vector<Value> values) { return {{"note", Column::values(std::move(values))}}; }

TEST_CASE("nodes serve clients of this process, and leave no thread behind") {
  const size_t before = own_threads_at_rest();
  {
    LocalNodes nodes({.storage_units = 3});
    LocalNodes others;
    CHECK(nodes.addresses().storage_units.size() == 3);
    CHECK(own_threads() >= before + 4 + 3);
    CHECK(threads_without_sigterm() >= 4 + 3);
    TransferQueueClient client(nodes.addresses());
    TransferQueueClient elsewhere(others.addresses());
    kv_batch_put(client, {"a", "b", "c", "d"}, "train", notes({1, 2, 3, 4}));
    const Batch got = kv_batch_get(client, {"d", "a"}, "train");
    CHECK(*got.at("note").values()[0].get_if<int64_t>() == 4);
    CHECK(elsewhere.get_partition_list().empty());
  }
  CHECK(own_threads() == before);
}

TEST_CASE("nodes serve other processes, which find them by address files") {
  LocalNodes nodes({.storage_units = 1});
  std::string folder = (fs::temp_directory_path() / "tq-nodes-XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  nodes.addresses().controller.write(fs::path(folder) / "controller.json");
  nodes.addresses().storage_units[0].write(fs::path(folder) / "storage-0.json");
  const std::string put =
      TQ_PROGRAM " kv put --info-dir " + folder + " -p train k --field note=hello > /dev/null";
  CHECK(std::system(put.c_str()) == 0);
  TransferQueueClient client(nodes.addresses());
  const Batch got = kv_batch_get(client, {"k"}, "train");
  CHECK(*got.at("note").values()[0].get_if<std::string>() == "hello");
  fs::remove_all(folder);
}

TEST_CASE("units may be started apart from their controller") {
  LocalNodes controller({.storage_units = 0});
  LocalNodes units({.with_controller = false, .storage_units = 2});
  CHECK(units.addresses().controller.ports.empty());
  TransferQueueClient client(
      Nodes{controller.addresses().controller, units.addresses().storage_units});
  kv_batch_put(client, {"a", "b"}, "train", notes({1, 2}));
  CHECK(kv_batch_get(client, {"b"}, "train").size() == 1);
}

TEST_CASE("options that make no sense are refused by name, and nothing is left running") {
  const size_t before = own_threads_at_rest();
  CHECK_THAT(refusal({.storage_units = -1}), Contains("storage_units must be from 0 to 1024"));
  CHECK_THAT(refusal({.storage_units = 1025}), Contains("storage_units"));
  CHECK_THAT(refusal({.bind = "nowhere"}), Contains("nowhere"));
  CHECK_THAT(refusal({.bind = "0.0.0.0"}), Contains("LocalNodesOptions::bind 0.0.0.0") &&
                                               Contains("LocalNodesOptions::advertise"));
  CHECK_THAT(refusal({.advertise = "127.0.0.1:5"}), Contains("advertise 127.0.0.1:5"));
  CHECK_THAT(refusal({.bind = "127.0.0.1:65534"}), Contains("there is no port 65536"));
  CHECK_THAT(refusal({.fetch_wait = std::chrono::milliseconds(-1)}), Contains("fetch_wait"));
  CHECK_THAT(refusal({.pre_alloc_samples = 0}), Contains("pre_alloc_samples"));
  CHECK_THAT(refusal({.index_rest = std::chrono::milliseconds(-1)}), Contains("index_rest"));
  CHECK_THAT(refusal({.capacity_samples = 0}), Contains("capacity_samples must be positive"));
  CHECK_THAT(refusal({.capacity_bytes = -5}), Contains("capacity_bytes must be positive"));
  CHECK_THAT(refusal({.ssd_threshold_bytes = 0}), Contains("ssd_threshold_bytes must be positive"));
  CHECK_THAT(refusal({.ssd_path = "/dev/null"}), Contains("/dev/null is no folder"));
  CHECK(own_threads() == before);
}

TEST_CASE("a port that is taken is refused, and nothing is left running") {
  LocalNodes first({.storage_units = 0});
  const size_t before = own_threads_at_rest();
  const int taken = first.addresses().controller.ports.at(0).second;
  CHECK_THAT(refusal({.bind = "127.0.0.1:" + std::to_string(taken)}),
             Contains(std::to_string(taken)));
  CHECK(own_threads() == before);
}

TEST_CASE("a unit takes no more than its capacity") {
  LocalNodes nodes({.storage_units = 1, .capacity_samples = 2});
  TransferQueueClient client(nodes.addresses());
  kv_batch_put(client, {"a", "b"}, "train", notes({1, 2}));
  CHECK_THROWS_AS(kv_batch_put(client, {"c"}, "train", notes({3})), Error);
  CHECK(kv_batch_get(client, {"a", "b"}, "train").size() == 2);
}

TEST_CASE("a fetch without enough data waits as long as the program wants") {
  LocalNodes nodes({.fetch_wait = std::chrono::milliseconds(1)});
  LocalNodes polling({.polling_mode = true});
  TransferQueueClient client(nodes.addresses());
  try {
    client.get_meta({"x"}, 1, "train", task("t"));
    FAIL("there was nothing to get");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kTimeout);
  }
  TransferQueueClient asking(polling.addresses());
  CHECK(asking.get_meta({"x"}, 1, "train", task("t")).size() == 0);
}

// A sampler whose choice is a function's.
class Scripted : public Sampler {
 public:
  using Answer = std::function<Sample(const SampleRequest&)>;
  explicit Scripted(Answer answer, bool decides = false)
      : answer_(std::move(answer)), decides_(decides) {}
  Sample sample(const SampleRequest& request) override { return answer_(request); }
  bool decides_readiness(const Map&) const override { return decides_; }

 private:
  Answer answer_;
  bool decides_;
};

TEST_CASE("a sampler that throws costs one request, and no sample") {
  const auto broken = [](const SampleRequest&) -> Sample { throw std::runtime_error("broken"); };
  LocalNodes nodes({.sampler = std::make_unique<Scripted>(broken)});
  TransferQueueClient client(nodes.addresses());
  client.put(notes({1, 2}), "train");
  CHECK_THROWS_WITH(client.get_meta({"note"}, 1, "train", task("t")), Contains("broken"));
  GetMetaOptions other = task("t");
  other.sampler = "SequentialSampler";
  CHECK(client.get_meta({"note"}, 2, "train", other).size() == 2);
}

TEST_CASE("clients choose samplers of the program's registry by name") {
  SamplerRegistry registry = SamplerRegistry::built_in();
  registry.add("Last", [](const Map& arguments) {
    if (!arguments.empty()) throw Error(ErrorCode::kInvalidArgument, "Last takes no argument");
    return std::make_unique<Scripted>([](const SampleRequest& request) {
      const int64_t last = request.ready.first(request.ready.count()).back();
      return Sample{{last}, {last}};
    });
  });
  LocalNodes nodes({.samplers = std::move(registry)});
  TransferQueueClient client(nodes.addresses());
  const std::vector<int64_t> put = client.put(notes({1, 2, 3}), "train").global_indexes;
  GetMetaOptions options = task("t");
  options.sampler = "Last";
  CHECK(client.get_meta({"note"}, 1, "train", options).global_indexes.at(0) == put[2]);
  options.sampler_arguments = {{"n", 1}};
  CHECK_THROWS_WITH(client.get_meta({"note"}, 1, "train", options), Contains("takes no argument"));
  options.sampler = "First";
  CHECK_THROWS_WITH(client.get_meta({"note"}, 1, "train", options),
                    Contains("there is no sampler 'First'") && Contains("Last"));
  CHECK(client.get_meta({"note"}, 2, "train", task("t")).global_indexes.size() == 2);
}

TEST_CASE("stop answers who waits, and may be called again") {
  std::promise<void> asked;
  auto once = std::make_shared<bool>(false);
  LocalNodes nodes({.sampler = std::make_unique<Scripted>(
                        [&asked, once](const SampleRequest&) {
                          if (!std::exchange(*once, true)) asked.set_value();
                          return Sample{};
                        },
                        true),
                    .fetch_wait = std::chrono::minutes(10)});
  ClientOptions patient;
  patient.deadline = std::chrono::minutes(10);
  TransferQueueClient client(nodes.addresses(), patient);
  client.put(notes({1}), "train");
  auto answer = std::async(std::launch::async, [&]() -> std::string {
    try {
      client.get_meta({"note"}, 1, "train", task("t"));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  });
  asked.get_future().wait();
  nodes.stop();
  CHECK_THAT(answer.get(), Contains("stopping"));
  nodes.stop();
  CHECK(nodes.addresses().storage_units.size() == 2);
}

}  // namespace
}  // namespace tq::test
