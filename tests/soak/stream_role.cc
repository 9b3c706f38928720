// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "soak/roles.h"
#include "soak/values.h"

namespace tq::soak {
namespace {

constexpr int kPutQuestions = 2;  // the look-up, the put with its report
constexpr int kPutsOfPartition = 4;
constexpr size_t kRowsOfPut = 16, kRowsOfFetch = 4;
constexpr size_t kWidth = 256;
constexpr double kConsumedWithin =
    15;  // seconds; a put that failed, or a killed consumer, may take all
constexpr double kLookAgainAfter = 0.2;
constexpr double kReadWithin = 0.5;  // for whoever fetched last to get the rows as well
constexpr std::chrono::milliseconds kFetchWait{200};
constexpr const char* kTasks[] = {"actor", "critic"};

bool begins_with(const std::string& text, const std::string& prefix) {
  return text.rfind(prefix, 0) == 0;
}

// Clears a partition that may not be there. Consumers' notes of it end with it.
bool clear_partition(Session& session, const std::string& partition) {
  const Outcome cleared = session.call("clear partition", 1, [&](TransferQueueClient& client) {
    client.clear_partition(partition);
  });
  if (!cleared.ok && cleared.code != ErrorCode::kNotFound) return false;
  session.tell({{"kind", "cleared"}, {"partition", partition}});
  return true;
}

// Those that begin with one of the prefixes. An error gives none.
std::vector<std::string> partitions(Session& session, const std::vector<std::string>& prefixes) {
  std::vector<std::string> names;
  session.call("list partitions", 1,
               [&](TransferQueueClient& client) { names = client.get_partition_list(); });
  std::erase_if(names, [&](const std::string& name) {
    for (const std::string& prefix : prefixes) {
      if (begins_with(name, prefix)) return false;
    }
    return true;
  });
  return names;
}

class Producer {
 public:
  explicit Producer(Session& session) : session_(session) {}

  void step() {
    if (puts_left_ > 0) return put();
    if (now_seconds() < look_at_) return;
    if (is_found_consumed_ || now_seconds() > give_up_at_) {
      next_partition();
      return;
    }
    is_found_consumed_ = is_consumed();
    look_at_ = now_seconds() + (is_found_consumed_ ? kReadWithin : kLookAgainAfter);
  }

  bool next_partition() {
    if (!clear_partition(session_, partition_)) return false;
    partition_ = fmt::format("train-{}-{}", session_.settings().number, ++round_);
    puts_left_ = kPutsOfPartition;
    is_found_consumed_ = false;
    look_at_ = 0;
    return true;
  }

 private:
  void put() {
    std::vector<std::string> keys;
    for (size_t i = 0; i < kRowsOfPut; ++i) {
      keys.push_back(fmt::format("{}-{}-{}", partition_, puts_left_, i));
    }
    --puts_left_;
    session_.call("put", kPutQuestions, [&](TransferQueueClient& client) {
      kv_batch_put(client, keys, partition_, columns_of(keys, 1, kWidth));
    });
    session_.count_bytes(kRowsOfPut * kWidth * 8);
    give_up_at_ = now_seconds() + kConsumedWithin;
  }

  bool is_consumed() {
    bool all = true;
    session_.call("ask consumption", 2, [&](TransferQueueClient& client) {
      for (const char* task : kTasks) {
        all = all && client.check_consumption_status(task, partition_);
      }
    });
    return all;
  }

  Session& session_;
  int round_ = 0, puts_left_ = kPutsOfPartition;
  std::string partition_ = fmt::format("train-{}-0", session_.settings().number);
  double give_up_at_ = 0, look_at_ = 0;
  bool is_found_consumed_ = false;
};

void fetch_one(Session& session, std::mt19937_64& random) {
  const std::vector<std::string> names = partitions(session, {"train-"});
  if (names.empty()) return;
  const std::string& partition = names[below(random, names.size())];
  const char* task = kTasks[below(random, std::size(kTasks))];
  const std::vector<std::string> fields = {"x", "y", "note"};
  GetMetaOptions options;
  options.task_name = task;
  options.wait = kFetchWait;
  BatchMeta meta;
  session.call(
      "fetch", 1,
      [&](TransferQueueClient& client) {
        meta = client.get_meta(fields, kRowsOfFetch, partition, options);
      },
      kFetchWait);
  if (meta.size() == 0) return;
  session.tell({{"kind", "fetched"},
                {"task", task},
                {"partition", partition},
                {"indexes", meta.global_indexes}});
  Batch got;
  const Outcome get = session.call(
      "get of task", 1, [&](TransferQueueClient& client) { got = client.get_data(meta, fields); });
  if (!get.ok) return;  // lost, or cleared: its producer waits for the fetch, not for the get
  const std::vector<std::string> keys = keys_in(got);
  std::string wrong = keys.size() == meta.size() ? wrong_in(got, keys, {1}) : "rows are missing";
  for (const std::string& key : keys) {
    if (!begins_with(key, partition + "-")) wrong = "a row of another partition: " + key;
  }
  if (!wrong.empty()) session.violation("a wrong value in a fetched batch: " + wrong);
}

}  // namespace

void produce(Session& session, uint64_t) {
  Producer producer(session);
  while (session.next()) producer.step();
  constexpr double kPatience = 30;
  const double until = now_seconds() + kPatience;
  while (!producer.next_partition()) {
    if (now_seconds() > until) return session.violation("cannot clear a partition of a producer");
  }
}

void consume(Session& session, uint64_t seed) {
  std::mt19937_64 random(seed);
  while (session.next()) fetch_one(session, random);
}

void inherit(Session& session, int number) {
  const std::vector<std::string> names =
      partitions(session, {fmt::format("keys-{}", number), fmt::format("train-{}-", number)});
  for (const std::string& name : names) {
    if (name != fmt::format("keys-{}", number) && begins_with(name, "keys-")) continue;
    clear_partition(session, name);
  }
}

void clear_all(Session& session) {
  constexpr double kPatience = 60;
  const double until = now_seconds() + kPatience;
  std::vector<std::string> left = {""};
  while (now_seconds() < until) {
    const Outcome listed = session.call("list partitions", 1, [&](TransferQueueClient& client) {
      left = client.get_partition_list();
    });
    if (listed.ok && left.empty()) return;
    for (const std::string& name : left) clear_partition(session, name);
  }
  session.violation("cannot clear partition '" + left[0] + "'");
}

}  // namespace tq::soak
