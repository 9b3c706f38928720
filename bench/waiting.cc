// SPDX-License-Identifier: Apache-2.0
// Waiting at the controller against asking it again and again.
#include "waiting.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include "client/controller_client.h"
#include "figures.h"

namespace tq::bench {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLong{60'000};

/// One event after the other: raised here at moments that keep no time with any period, seen by
/// another thread.
class Relay {
 public:
  explicit Relay(int count) : count_(count) {}

  /// `raise(i)` on this thread, each as soon as the one before was seen and a while passed;
  /// `see(i)` on another one returns when it saw it.
  template <class Raise, class See>
  std::vector<double> run(Raise&& raise, See&& see) {
    std::vector<double> late_us;
    std::thread observer([&] {
      for (int i = 0; i < count_; ++i) {
        see(i);
        late_us.push_back(seconds_since(raised_.load()) * 1e6);
        seen_ = i + 1;
        seen_.notify_one();
      }
    });
    std::mt19937 random(1);
    std::uniform_real_distribution<double> pause_ms(5, 30);
    for (int i = 0; i < count_; ++i) {
      std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(pause_ms(random)));
      raised_ = Clock::now();
      raise(i);
      for (int seen = seen_; seen <= i; seen = seen_) seen_.wait(seen);
    }
    observer.join();
    return late_us;
  }

 private:
  const int count_;
  std::atomic<Clock::time_point> raised_{};
  std::atomic<int> seen_{0};
};

Json figures(const std::vector<double>& late_us, int count, size_t requests) {
  Json result = {{"count", count},
                 {"requests_each", rounded(static_cast<double>(requests) / count)}};
  add_percentiles(result, "late", late_us);
  return result;
}

// What a put tells the controller when its rows are stored.
void report_produced(client::ControllerClient& controller, const std::string& partition_id,
                     int64_t index) {
  wire::FieldUpdate dense;
  dense.dtype = Value(PyObject{PyObject::Kind::kGlobal, "torch", "float32", {}, {}, {}, {}});
  dense.shape = Shape{16};
  dense.is_nested = false;
  dense.is_non_tensor = false;
  wire::NotifyDataUpdate notify;
  notify.partition_id = partition_id;
  notify.global_indexes = {index};
  notify.field_schema.emplace_back("x", dense);
  controller.ask<wire::NotifyDataUpdateAck>(notify, Clock::now() + kLong,
                                            controller.notify_socket());
}

int64_t number_of(const Value& tags) {
  const Value* number = tags.find("n");
  const int64_t* value = number != nullptr ? number->get_if<int64_t>() : nullptr;
  return value != nullptr ? *value : -1;
}

}  // namespace

Json fetch_waiting(TransferQueueClient& client, int count, int every_ms) {
  const std::string partition = "fetch_waiting";
  const BatchMeta meta =
      client.kv_retrieve_meta(numbered("k", static_cast<size_t>(count)), partition, true);
  manager::ConnectionPool pool("TQ_STORAGE_bench");
  client::ControllerClient controller(client.nodes().controller, pool, "TQ_CLIENT_bench");
  controller.handshake(Clock::now() + kLong);
  GetMetaOptions options;
  options.task_name = "train";
  options.wait = every_ms == 0 ? kLong : milliseconds(0);
  size_t requests = 0;
  const std::vector<double> late_us = Relay(count).run(
      [&](int i) {
        report_produced(controller, partition, meta.global_indexes[static_cast<size_t>(i)]);
      },
      [&](int) {
        while (++requests, client.get_meta({"x"}, 1, partition, options).size() == 0) {
          std::this_thread::sleep_for(milliseconds(every_ms));
        }
      });
  client.clear_partition(partition);
  return figures(late_us, count, requests);
}

Json watch_waiting(TransferQueueClient& client, int count, int every_ms, int keys) {
  const std::string partition = "watch_waiting";
  const BatchMeta meta =
      client.kv_retrieve_meta(numbered("key-", static_cast<size_t>(keys)), partition, true);
  std::string revision = client.kv_list_changes(partition).revision;
  size_t requests = 0;
  const auto has = [](const auto& listing, int i) {
    return std::any_of(listing.begin(), listing.end(),
                       [i](const auto& entry) { return number_of(entry.second) == i; });
  };
  const auto wait_for = [&](int i) {
    while (true) {
      ++requests;
      KVChanges changes = client.kv_list_changes(partition, revision, kLong);
      revision = std::move(changes.revision);
      if (has(changes.changed, i)) return;
    }
  };
  const auto poll_for = [&](int i) {
    while (++requests, !has(client.kv_list(partition).at(0).second, i)) {
      std::this_thread::sleep_for(milliseconds(every_ms));
    }
  };
  std::mt19937 random(2);
  const std::vector<double> late_us = Relay(count).run(
      [&](int i) {
        const size_t row = random() % meta.size();
        BatchMeta one = meta.slice(row, row + 1);
        one.custom_meta = {Map{{"n", i}}};
        client.set_custom_meta(one);
      },
      [&](int i) { every_ms == 0 ? wait_for(i) : poll_for(i); });
  client.clear_partition(partition);
  return figures(late_us, count, requests);
}

}  // namespace tq::bench
