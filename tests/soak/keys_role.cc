// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "soak/roles.h"
#include "soak/values.h"

namespace tq::soak {
namespace {

constexpr size_t kBatchesMax = 12;
constexpr int kPutQuestions = 3;    // the look-up, the put with its report, the tags
constexpr int kGetQuestions = 3;    // the look-up, the get; a listing where keys are missing
constexpr int kClearQuestions = 2;  // the look-up, the clear

// What was put under some keys, and whether a put of theirs failed.
struct Entry {
  std::vector<std::string> keys;
  size_t width = 0;
  std::vector<int64_t> versions;  // that were put; the last one is there, unless is_unsure
  bool is_unsure = false;         // a put or a clear failed, or rows are lost: to be cleared
  double put_began = 0;           // of the last put
};

class KeysRole {
 public:
  KeysRole(Session& session, uint64_t seed)
      : session_(session),
        random_(seed),
        partition_(fmt::format("keys-{}", session.settings().number)) {}

  void step();
  void clear_up();

 private:
  Entry* some(bool is_unsure);
  void put_new();
  void put(Entry& entry);
  void read(Entry& entry);
  void find_lost(Entry& entry, double seen);
  void list();
  void settle(Entry& entry);
  bool clear(Entry& entry);
  void read_others();

  Session& session_;
  std::mt19937_64 random_;
  const std::string partition_;
  std::vector<Entry> entries_;
  int round_ = 0;
};

void KeysRole::step() {
  if (Entry* unsure = some(true); unsure != nullptr && below(random_, 2) == 0) {
    return settle(*unsure);
  }
  Entry* entry = some(false);
  const size_t choice = below(random_, 100);
  if (entry == nullptr || (choice < 25 && entries_.size() < kBatchesMax)) return put_new();
  if (choice < 40) return put(*entry);
  if (choice < 72) return read(*entry);
  if (choice < 78) return list();
  if (choice < 84) return read_others();
  clear(*entry);
}

Entry* KeysRole::some(bool is_unsure) {
  std::vector<Entry*> found;
  for (Entry& entry : entries_) {
    if (entry.is_unsure == is_unsure) found.push_back(&entry);
  }
  return found.empty() ? nullptr : found[below(random_, found.size())];
}

void KeysRole::put_new() {
  Entry entry;
  const size_t rows = 4 + below(random_, 29);
  // 64 bytes to 16 KiB a row; now and then one of the messages that move by blocks.
  entry.width = below(random_, 20) == 0 ? size_t{1} << 15 : size_t{8} << below(random_, 9);
  for (size_t i = 0; i < rows; ++i) {
    entry.keys.push_back(fmt::format("k{}-{}-{}", session_.settings().number, round_, i));
  }
  ++round_;
  entries_.push_back(std::move(entry));
  put(entries_.back());
}

void KeysRole::put(Entry& entry) {
  const int64_t version = entry.versions.empty() ? 1 : entry.versions.back() + 1;
  const Batch batch = columns_of(entry.keys, version, entry.width);
  const std::vector<Map> tags(entry.keys.size(), Map{{"v", version}});
  entry.versions.push_back(version);
  const Outcome put = session_.call("put", kPutQuestions, [&](TransferQueueClient& client) {
    kv_batch_put(client, entry.keys, partition_, batch, tags);
  });
  entry.put_began = put.began;
  entry.is_unsure = !put.ok;
  if (put.ok) {
    entry.versions = {version};
    session_.count_bytes(entry.keys.size() * entry.width * 8);
  }
}

void KeysRole::read(Entry& entry) {
  const size_t from = below(random_, entry.keys.size());
  const size_t count = 1 + below(random_, entry.keys.size() - from);
  const auto first = entry.keys.begin() + static_cast<ptrdiff_t>(from);
  const std::vector<std::string> keys(first, first + static_cast<ptrdiff_t>(count));
  Batch got;
  const GetForm form = below(random_, 2) == 0 ? GetForm::kContiguous : GetForm::kRows;
  const Outcome get = session_.call("get", kGetQuestions, [&](TransferQueueClient& client) {
    got = kv_batch_get(client, keys, partition_, {"x", "y", "note"}, form);
  });
  if (get.ok) {
    const std::string wrong = wrong_in(got, keys, entry.versions);
    if (!wrong.empty()) session_.violation("a wrong value: " + wrong);
    session_.count_bytes(keys.size() * entry.width * 8);
  } else if (get.is_missing() && !entry.is_unsure) {
    find_lost(entry, get.ended);
  }
}

// Rows of an acknowledged put are missing: tells of which units, for the soak to know whether they
// were restarted.
void KeysRole::find_lost(Entry& entry, double seen) {
  entry.is_unsure = true;
  BatchMeta meta;
  size_t units = 1;
  const Outcome looked_up = session_.call("look up", 1, [&](TransferQueueClient& client) {
    units = client.nodes().storage_units.size();
    meta = client.kv_retrieve_meta(entry.keys, partition_, false);
  });
  if (!looked_up.ok) return;
  if (meta.size() != entry.keys.size()) {
    return session_.violation(fmt::format("the controller knows {} of the {} keys of a put ('{}')",
                                          meta.size(), entry.keys.size(), entry.keys[0]));
  }
  bool is_explained = false;
  for (size_t unit = 0; unit < units; ++unit) {
    std::vector<size_t> positions;
    for (size_t i = 0; i < meta.size(); ++i) {
      if (static_cast<size_t>(meta.global_indexes[i]) % units == unit) positions.push_back(i);
    }
    if (positions.empty()) continue;
    const Outcome get = session_.call("get", 1, [&](TransferQueueClient& client) {
      client.get_data(meta.select_samples(positions), {"x"});
    });
    if (get.is_missing()) {
      session_.tell({{"kind", "lost"},
                     {"unit", unit},
                     {"rows", positions.size()},
                     {"put_began", entry.put_began},
                     {"seen", seen},
                     {"key", entry.keys[0]}});
    }
    is_explained = is_explained || !get.ok;
  }
  if (!is_explained) {
    session_.violation("rows of '" + entry.keys[0] + "' were missing, and then were there again");
  }
}

void KeysRole::list() {
  KVListing listing;
  const Outcome listed = session_.call(
      "list", 1, [&](TransferQueueClient& client) { listing = kv_list(client, partition_); });
  if (!listed.ok && !listed.is_missing()) return;
  std::map<std::string, int64_t> seen;
  for (const auto& [partition, keys] : listing) {
    for (const auto& [key, tag] : keys) {
      const Map* entries = tag.get_if<Map>();
      const int64_t* version = entries != nullptr && !entries->empty()
                                   ? entries->front().second.get_if<int64_t>()
                                   : nullptr;
      seen[key] = version != nullptr ? *version : 0;
    }
  }
  for (const Entry& entry : entries_) {
    for (const std::string& key : entry.keys) {
      const auto found = seen.find(key);
      if (!entry.is_unsure && (found == seen.end() || found->second != entry.versions.back())) {
        session_.violation(fmt::format("key '{}' is listed as version {}, not {}", key,
                                       found == seen.end() ? -1 : found->second,
                                       entry.versions.back()));
      }
      if (found != seen.end()) seen.erase(found);
    }
  }
  if (!seen.empty()) session_.violation("a cleared key is listed: " + seen.begin()->first);
}

// After an error: what can be read is of one of the puts; then the keys are given up.
void KeysRole::settle(Entry& entry) {
  if (below(random_, 2) == 0) read(entry);
  clear(entry);
}

bool KeysRole::clear(Entry& entry) {
  const Outcome cleared = session_.call("clear", kClearQuestions, [&](TransferQueueClient& client) {
    client.clear_samples(client.kv_retrieve_meta(entry.keys, partition_, false));
  });
  if (!cleared.ok) {
    entry.is_unsure = true;
    return false;
  }
  if (below(random_, 4) == 0) {
    size_t left = 0;
    session_.call("look up", 1, [&](TransferQueueClient& client) {
      left = client.kv_retrieve_meta(entry.keys, partition_, false).size();
    });
    if (left > 0) session_.violation("cleared keys are known: " + entry.keys[0]);
  }
  entries_.erase(entries_.begin() + (&entry - entries_.data()));
  return true;
}

// Whatever comes was put by somebody under that key, whole.
void KeysRole::read_others() {
  std::string theirs;
  std::vector<std::string> keys;
  session_.call("list", 2, [&](TransferQueueClient& client) {
    std::vector<std::string> names = client.get_partition_list();
    std::erase_if(names, [&](const std::string& name) {
      return name == partition_ || name.rfind("keys-", 0) != 0;
    });
    if (names.empty()) return;
    theirs = names[below(random_, names.size())];
    for (const auto& [partition, entries] : kv_list(client, theirs)) {
      const size_t from = entries.empty() ? 0 : below(random_, entries.size());
      for (size_t i = from; i < std::min(entries.size(), from + 8); ++i) {
        keys.push_back(entries[i].first);
      }
    }
  });
  if (keys.empty()) return;
  Batch got;
  const Outcome get =
      session_.call("get of others", kGetQuestions, [&](TransferQueueClient& client) {
        got = kv_batch_get(client, keys, theirs, {"x", "y", "note"});
      });
  const std::string wrong = get.ok ? wrong_in(got, keys, {}) : "";
  if (!wrong.empty()) session_.violation("a wrong value of another client: " + wrong);
}

void KeysRole::clear_up() {
  constexpr double kPatience = 30;
  const double until = now_seconds() + kPatience;
  while (!entries_.empty() && now_seconds() < until) clear(entries_.back());
  if (!entries_.empty()) session_.violation("cannot clear '" + entries_.back().keys[0] + "'");
}

}  // namespace

void work_on_keys(Session& session, uint64_t seed) {
  KeysRole role(session, seed);
  while (session.next()) role.step();
  role.clear_up();
}

}  // namespace tq::soak
