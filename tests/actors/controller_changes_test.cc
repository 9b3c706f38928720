// SPDX-License-Identifier: Apache-2.0
// KV_LIST by revision (x_tq.since): what is told of what changed, when, and when the whole listing
// must be told instead. The judge is KV_LIST itself.
#include <map>
#include <random>

#include "actors/controller_fixture.h"

namespace tq::test {
namespace {

using Keys = std::vector<std::string>;
using Listing = std::map<std::string, std::string>;  // key -> tags as text

wire::Frames list_since(const wire::Value& since, const wire::Value& wait_ms = 0,
                        const wire::Value& partition = "p") {
  return ControllerFixture::frames_of(
      "KV_LIST",
      wire::Map{{"partition_id", partition},
                {"x_tq", wire::Map{{"version", 1}, {"since", since}, {"wait_ms", wait_ms}}}});
}

struct Told {
  explicit Told(const Json& reply) {
    INFO(reply.dump());
    REQUIRE(reply.at("request_type") == wire::KvListResponse::kType);
    const Json& body = reply.at("body");
    for (const auto& [partition, keys] : body.at("partition_info").items()) {
      for (const auto& [key, tags] : keys.items()) changed[key] = tags.dump();
    }
    revision = body.at("x_tq").at("revision");
    complete = body.at("x_tq").at("complete");
    removed = body.at("x_tq").at("removed").get<Keys>();
  }
  Keys keys() const {
    Keys keys;
    for (const auto& [key, tags] : changed) keys.push_back(key);
    return keys;
  }

  Listing changed;
  Keys removed;
  std::string revision;
  bool complete = false;
};

/// Follows a partition as a client does.
class Watcher {
 public:
  Told ask(ControllerFixture& fixture) {
    const Told told(fixture.ask(list_since(revision)));
    apply(told);
    return told;
  }
  void apply(const Told& told) {
    if (told.complete) known.clear();
    for (const std::string& key : told.removed) {
      CHECK_FALSE(told.changed.contains(key));
      known.erase(key);
    }
    for (const auto& [key, tags] : told.changed) known[key] = tags;
    revision = told.revision;
  }

  Listing known;
  std::string revision;
};

Listing listing(ControllerFixture& fixture) {
  const Json body = fixture.body_of<wire::KvListResponse>(wire::KvList{"p"});
  Listing listed;
  for (const auto& [partition, keys] : body.at("partition_info").items()) {
    for (const auto& [key, tags] : keys.items()) listed[key] = tags.dump();
  }
  return listed;
}

void set_tag(ControllerFixture& fixture, int64_t index, wire::Map tag) {
  fixture.body_of<wire::SetCustomMetaResponse>(
      wire::SetCustomMeta{{{"p", {{index, wire::Value(std::move(tag))}}}}});
}

TEST_CASE("changes: a key that is registered, tagged, produced or cleared; nothing else") {
  ControllerFixture fixture;
  const std::vector<int64_t> indexes = fixture.register_keys("p", {"a", "b", "c"});
  Watcher watcher;
  const Told first = watcher.ask(fixture);
  CHECK(first.complete);
  CHECK(first.keys() == Keys{"a", "b", "c"});
  const auto told = [&] { return watcher.ask(fixture); };
  CHECK(told().keys().empty());
  fixture.register_keys("p", {"d", "a"});
  CHECK(told().keys() == Keys{"d"});
  set_tag(fixture, indexes[1], {{"score", 1}});
  Told next = told();
  CHECK(next.keys() == Keys{"b"});
  CHECK_FALSE(next.complete);
  CHECK(next.changed.at("b") == listing(fixture).at("b"));
  fixture.produce("p", {indexes[2]});
  CHECK(told().keys() == Keys{"c"});
  fixture.clear("p", {indexes[0]});
  next = told();
  CHECK(next.keys().empty());
  CHECK(next.removed == Keys{"a"});
  fixture.insert("p", 2);            // samples without a key
  set_tag(fixture, indexes[2], {});  // as each put of Python's clients does
  fixture.fetch("p", 1);             // consumption is no part of a listing
  fixture.register_keys("other", {"a"});
  next = told();
  CHECK(next.keys().empty());
  CHECK(next.removed.empty());
  CHECK(watcher.known == listing(fixture));
}

TEST_CASE("changes: a key that goes and comes again is changed, not removed") {
  ControllerFixture fixture;
  const std::vector<int64_t> indexes = fixture.register_keys("p", {"a", "b"});
  Watcher watcher;
  watcher.ask(fixture);
  fixture.clear("p", {indexes[0]});
  fixture.register_keys("p", {"a"});
  const Told told = watcher.ask(fixture);
  CHECK(told.keys() == Keys{"a"});
  CHECK(told.removed.empty());
}

TEST_CASE("changes: a watcher waits until something changes, and no longer than it asked") {
  ControllerFixture fixture;
  const std::vector<int64_t> indexes = fixture.register_keys("p", {"a"});
  const std::string revision = Watcher().ask(fixture).revision;
  ControllerFixture::Waiting waiting = fixture.wait(list_since(revision, 9000));
  CHECK(waiting.wait.deadline == fixture.now + std::chrono::seconds(9));
  fixture.controller.take_changed_topics();
  fixture.register_keys("other", {"a"});
  for (const std::string& topic : fixture.controller.take_changed_topics()) {
    CHECK(topic != waiting.wait.topic);
  }
  set_tag(fixture, indexes[0], {{"score", 1}});
  CHECK(fixture.controller.take_changed_topics() == Keys{waiting.wait.topic});
  CHECK(Told(fixture.decoded(fixture.offer(waiting))).keys() == Keys{"a"});

  const std::string later = Told(fixture.ask(list_since(revision))).revision;
  ControllerFixture::Waiting in_vain = fixture.wait(list_since(later, 9000));
  fixture.advance(9);
  const Told nothing(fixture.decoded(fixture.offer(in_vain)));
  CHECK(nothing.keys().empty());
  CHECK_FALSE(nothing.complete);
  CHECK(nothing.revision == later);
}

TEST_CASE("changes: a partition that is not there is waited for; one that goes is told at once") {
  ControllerFixture fixture;
  CHECK(Told(fixture.ask(list_since(""))).revision.empty());
  ControllerFixture::Waiting waiting = fixture.wait(list_since("", 9000));
  fixture.controller.take_changed_topics();
  fixture.register_keys("p", {"a"});
  CHECK(fixture.controller.take_changed_topics() == Keys{waiting.wait.topic});
  const Told told(fixture.decoded(fixture.offer(waiting)));
  CHECK(told.keys() == Keys{"a"});

  ControllerFixture::Waiting watching = fixture.wait(list_since(told.revision, 9000));
  fixture.body_of<wire::ClearPartitionResponse>(wire::ClearPartition{"p"});
  const Told gone(fixture.decoded(fixture.offer(watching)));
  CHECK(gone.complete);
  CHECK(gone.keys().empty());
  CHECK(gone.revision.empty());
  fixture.register_keys("p", {"b"});
  const Told anew(fixture.ask(list_since(told.revision)));  // of the partition that was cleared
  CHECK(anew.complete);
  CHECK(anew.keys() == Keys{"b"});
}

TEST_CASE("changes: a revision that this partition cannot go back to gives the whole listing") {
  ControllerFixture fixture;
  fixture.register_keys("p", {"a", "b"});
  fixture.register_keys("other", {"a"});
  const std::string revision = Watcher().ask(fixture).revision;
  ControllerFixture restarted;
  restarted.register_keys("p", {"a", "b"});
  const std::string foreign = Watcher().ask(restarted).revision;
  const std::string other(Told(fixture.ask(list_since("", 0, "other"))).revision);
  const std::string epoch = revision.substr(0, revision.find('.'));
  for (const std::string& since :
       {foreign, other, epoch, epoch + ".", epoch + ".99", epoch + ".-1", epoch + ".0x",
        "." + epoch, std::string("listing.00"), std::string(1000, '9'), std::string("\0", 1)}) {
    INFO(since);
    const Told told(fixture.ask(list_since(since, 9000)));
    CHECK(told.complete);
    CHECK(told.keys() == Keys{"a", "b"});
  }
}

TEST_CASE(
    "changes: of keys that are gone the last ones are known; before them, the whole listing") {
  controller::ControllerConfig config = ControllerFixture::no_rest();
  config.limits.removed_keys_bytes_max = 300;  // four keys of few letters
  ControllerFixture fixture(config);
  const std::vector<int64_t> indexes = fixture.register_keys("p", {"a", "b", "c", "d", "e", "f"});
  const std::string revision = Watcher().ask(fixture).revision;
  for (size_t i = 0; i < 4; ++i) fixture.clear("p", {indexes[i]});
  const Told told(fixture.ask(list_since(revision)));
  CHECK_FALSE(told.complete);
  CHECK(told.removed == Keys{"a", "b", "c", "d"});
  fixture.clear("p", {indexes[4]});
  const Told late(fixture.ask(list_since(revision)));
  CHECK(late.complete);
  CHECK(late.keys() == Keys{"f"});
  const Told still(fixture.ask(list_since(told.revision)));
  CHECK_FALSE(still.complete);
  CHECK(still.removed == Keys{"e"});
}

TEST_CASE("changes: what cannot be meant is an error that names it") {
  ControllerFixture fixture;
  fixture.register_keys("p", {"a"});
  CHECK(fixture.error_of(list_since(7))
            .starts_with("KV_LIST failed: TypeError: body.x_tq.since must be a str, got int"));
  CHECK(fixture.error_of(list_since("", -1))
            .starts_with("KV_LIST failed: ValueError: body.x_tq.wait_ms is -1; it must not be"));
  CHECK(fixture.error_of(list_since("", 3'600'001))
            .starts_with("KV_LIST failed: ValueError: body.x_tq.wait_ms is 3600001; the limit is"));
  CHECK(fixture.error_of(list_since("", 0, {}))
            .starts_with("KV_LIST failed: ValueError: body.partition_id must name one partition"));
  CHECK(fixture.error_of(list_since(std::string(70'000, 'x')))
            .starts_with("KV_LIST failed: ValueError: body.x_tq.since has 70000 bytes; the limit"));
}

// Watchers that ask now and then, each from the revision that it knows, after random requests of
// every kind that changes a partition.
TEST_CASE("changes: a watcher that applies what it is told always has the listing") {
  const uint32_t seed = GENERATE(1u, 2u, 3u, 4u, 5u, 6u);
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto below = [&](size_t bound) { return random() % bound; };
  controller::ControllerConfig config = ControllerFixture::no_rest();
  config.limits.removed_keys_bytes_max = seed % 2 == 0 ? 500 : 1 << 20;
  ControllerFixture fixture(config);
  std::vector<Watcher> watchers(3);
  size_t partial = 0;
  for (int step = 0; step < 600; ++step) {
    const auto keys = [&] {
      Keys names;
      for (size_t i = below(4); i < 4; ++i) names.push_back("k" + std::to_string(below(30)));
      return names;
    };
    const auto indexes = [&] {
      return fixture
          .batch_of<wire::KvRetrieveMetaResponse>(wire::KvRetrieveMeta{keys(), "p", false})
          .at("global_indexes")
          .get<std::vector<int64_t>>();
    };
    switch (below(16)) {
      case 0:
      case 1:
      case 2:
        fixture.register_keys("p", keys());  // a key twice in it gets two samples
        break;
      case 3:
      case 4:
        for (const int64_t index : indexes()) {
          set_tag(fixture, index, below(3) == 0 ? wire::Map{} : wire::Map{{"step", step}});
        }
        break;
      case 5:
        if (const auto rows = indexes(); !rows.empty()) fixture.produce("p", rows);
        break;
      case 6:
      case 7:
        fixture.clear("p", indexes());
        break;
      case 8:
        fixture.insert("p", 1);
        break;
      case 9:
        if (below(10) == 0) {
          fixture.body_of<wire::ClearPartitionResponse>(wire::ClearPartition{"p"});
        }
        break;
      default:
        Watcher& watcher = watchers[below(watchers.size())];
        const Told told = watcher.ask(fixture);
        partial += told.complete ? 0 : 1;
        REQUIRE(watcher.known == listing(fixture));
    }
  }
  CHECK(partial > 50);
}

}  // namespace
}  // namespace tq::test
