// SPDX-License-Identifier: Apache-2.0
// Checkpoints of a controller: all that clients can see, and all that decides what they see later,
// comes back; no damaged file changes anything.
#include <fmt/format.h>

#include <fstream>

#include "actors/checkpoint_fixture.h"
#include "actors/controller_fixture.h"
#include "controller/state_file.h"

namespace tq::test {
namespace {

using wire::Map;
using wire::Value;

controller::ControllerConfig config(const CheckpointFolder& folder, double rest_s = 0) {
  controller::ControllerConfig config = ControllerFixture::no_rest();
  config.checkpoint_root = folder.root();
  config.pre_alloc_samples = 3;
  config.index_rest_s = rest_s;
  config.polling_mode = true;
  return config;
}

Json save(ControllerFixture& fixture, const std::string& path) {
  return ControllerFixture::decoded(
      finish(fixture.outcome(fixture.request_of(wire::SaveControllerCheckpoint{path}))));
}
Json load(ControllerFixture& fixture, const std::string& path) {
  return ControllerFixture::decoded(
      finish(fixture.outcome(fixture.request_of(wire::LoadControllerCheckpoint{path}))));
}
bool is_done(const Json& reply) {
  INFO(reply.dump());
  return reply.at("body").at("success") == true;
}
std::string sentence_of(const Json& reply) {
  REQUIRE(reply.at("request_type") == "REQUEST_ERROR");
  return reply.at("body").at("message");
}

wire::FieldUpdate nested(std::vector<std::pair<int64_t, wire::Shape>> shapes) {
  return {ControllerFixture::torch_dtype("int64"), std::nullopt, true, false, std::move(shapes)};
}

wire::GetMeta by_sampler(int64_t batch_index) {
  wire::GetMeta fetch = ControllerFixture::fetch_of("train", 2, {"f"}, "ranks");
  fetch.sampling_config = Map{{"dp_rank", 0},
                              {"batch_index", batch_index},
                              {"task_name", "ranks"},
                              {"partition_id", "train"}};
  return fetch;
}

// Asks with a sampler by name, as a C++ client does.
std::string with_sampler(ControllerFixture& fixture, int64_t batch_index) {
  wire::Extension extension{wire::Extension::kVersion, "1", ""};
  extension.more = Map{{"sampler", "RankAwareSampler"}, {"sampler_arguments", Map{}}};
  const wire::Frames frames =
      wire::pack_request("client", std::nullopt, by_sampler(batch_index), extension);
  return ControllerFixture::decoded(fixture.outcome(fixture.request_of(frames)))
      .at("body")
      .at("metadata")
      .dump();
}

void fill(ControllerFixture& fixture) {
  fixture.register_keys("train", {"a", "b", "c", "d", "e", "a b", "ключ"});
  fixture.register_keys("train", {"twice", "twice"});
  fixture.produce("train", {0, 1, 2, 3, 4});
  fixture.produce("train", {1, 2}, {"g"});
  fixture.body_of<wire::NotifyDataUpdateAck>(
      wire::NotifyDataUpdate{"train",
                             {0, 1, 2},
                             {{"ragged", nested({{0, {1}}, {1, {2, 0}}, {2, {1}}})}},
                             Map{{1, Map{{"g", Map{{"where", "ssd"}}}}}}});
  fixture.body_of<wire::SetCustomMetaResponse>(wire::SetCustomMeta{
      {{"train", {{0, Map{{"score", 0.5}}}, {2, Map{{"t", wire::Array{1, "x"}}}}}}}});
  fixture.fetch("train", 2);
  fixture.fetch("train", 1, {"f", "g"}, "other");
  with_sampler(fixture, 0);
  fixture.insert("empty", 2);
  fixture.register_keys("gone", {"x", "y"});
  fixture.body_of<wire::ClearPartitionResponse>(wire::ClearPartition{"gone"});
  fixture.clear("train", {3});
}

/// All that clients can ask without changing anything.
std::string visible(ControllerFixture& fixture) {
  std::string text = fixture.ask(wire::GetListPartitions{}).at("body").dump();
  text += fixture.ask(wire::KvList{std::nullopt}).at("body").dump();
  for (const char* partition : {"train", "empty", "gone"}) {
    text += fixture.ask(wire::GetPartitionMeta{partition}).at("body").dump();
    text += fixture.ask(wire::GetProduction{partition, wire::Names{"f", "g"}}).at("body").dump();
    for (const char* task : {"task", "other", "ranks"}) {
      text +=
          fixture.ask(wire::GetConsumption{partition, task, std::nullopt}).at("body").dump() + "\n";
    }
  }
  wire::KvRetrieveKeys keys;
  keys.partition_id = "train";
  keys.global_indexes.emplace();
  for (int64_t i = 0; i < 12; ++i) keys.global_indexes->emplace_back(i);
  text += fixture.ask(keys).at("body").dump();
  return text;
}

/// What requests that change something give, one after the other.
std::string afterwards(ControllerFixture& fixture) {
  std::string text;
  const auto add = [&](const std::vector<int64_t>& indexes) {
    text += fmt::format("{}\n", Json(indexes).dump());
  };
  text += with_sampler(fixture, 0);
  text += with_sampler(fixture, 1);
  add(fixture.register_keys("train", {"new", "a", "twice"}));
  add(fixture.register_keys("next", {"k"}));
  add(fixture.insert("train", 5));
  add(fixture.fetch("train", 1));
  // Another dtype than before; and one that fits.
  for (Json ack : {fixture.notify("train", {1}, {"f"}, "int64"),
                   fixture.notify("train", {0}, {"ragged"}, "int64")}) {
    ack.erase("controller_id");
    text += ack.dump();
  }
  fixture.clear("train", {1});
  text += visible(fixture);
  return text;
}

TEST_CASE("controller checkpoint: all comes back, and goes on as it would have") {
  const CheckpointFolder folder;
  ControllerFixture fixture(config(folder));
  fill(fixture);
  REQUIRE(is_done(save(fixture, folder.file("c.pkl"))));
  controller::ControllerConfig settings = config(folder);
  settings.id = "TQ_CONTROLLER_other";
  ControllerFixture other(settings);
  other.register_keys("train", {"of the other"});
  other.register_keys("other", {"x"});
  REQUIRE(is_done(load(other, folder.file("c.pkl"))));
  CHECK(visible(other) == visible(fixture));
  CHECK(other.controller.id() == "TQ_CONTROLLER_other");  // upstream takes over the saved one
  REQUIRE(is_done(save(other, folder.file("again.pkl"))));
  const std::string expected = afterwards(fixture);
  CHECK(afterwards(other) == expected);
  ControllerFixture third(config(folder));
  REQUIRE(is_done(load(third, folder.file("again.pkl"))));
  CHECK(afterwards(third) == expected);
}

TEST_CASE("controller checkpoint: freed indexes go on resting") {
  const CheckpointFolder folder;
  ControllerFixture fixture(config(folder, 100));
  fill(fixture);
  fixture.advance(60);
  REQUIRE(is_done(save(fixture, folder.file("c.pkl"))));
  ControllerFixture other(config(folder, 100));
  REQUIRE(is_done(load(other, folder.file("c.pkl"))));
  other.register_keys("p", {"a", "b", "c"});
  const auto first = other.register_keys("p", {"d"});
  other.advance(39);
  CHECK(other.register_keys("p", {"e"})[0] == first[0] + 1);
  other.advance(2);
  CHECK(other.register_keys("p", {"f"})[0] == 3);  // which was cleared before the save
}

TEST_CASE("controller checkpoint: it is the state of the moment when it was asked for") {
  const CheckpointFolder folder;
  ControllerFixture fixture(config(folder));
  fill(fixture);
  const std::string before = visible(fixture);
  runtime::Outcome saving =
      fixture.outcome(fixture.request_of(wire::SaveControllerCheckpoint{folder.file("c.pkl")}));
  afterwards(fixture);
  CHECK(is_done(ControllerFixture::decoded(finish(std::move(saving)))));
  ControllerFixture other(config(folder));
  REQUIRE(is_done(load(other, folder.file("c.pkl"))));
  CHECK(visible(other) == before);
}

TEST_CASE("controller checkpoint: a fetch that waits sees what was loaded; an undo does not") {
  const CheckpointFolder folder;
  ControllerFixture fixture(config(folder));
  fill(fixture);
  REQUIRE(is_done(save(fixture, folder.file("c.pkl"))));
  controller::ControllerConfig settings = config(folder);
  settings.polling_mode = false;
  ControllerFixture other(settings);
  auto waiting = other.wait(ControllerFixture::fetch_of("train", 1, {"f"}, "late"));
  other.register_keys("train", {"a"});
  other.produce("train", {0});
  const runtime::Outcome fetched =
      other.outcome(other.request_of(ControllerFixture::fetch_of("train", 1)));
  other.controller.take_changed_topics();
  REQUIRE(is_done(load(other, folder.file("c.pkl"))));
  const std::vector<std::string> changed = other.controller.take_changed_topics();
  CHECK(std::find(changed.begin(), changed.end(), "train") != changed.end());
  CHECK(ControllerFixture::decoded(other.offer(waiting)).at("request_type") == "GET_META_RESPONSE");
  const std::vector<int> consumed = other.consumption("train");
  std::get<runtime::Reply>(fetched).undo();  // what it gave out is no more
  CHECK(other.consumption("train") == consumed);
}

TEST_CASE("controller checkpoint: samplers") {
  const CheckpointFolder folder;
  const auto grpo = [] {
    return SamplerRegistry::built_in().make("GRPOGroupNSampler", Map{{"n_samples_per_prompt", 2}});
  };
  ControllerFixture fixture(config(folder), grpo());
  fixture.register_keys("train", {"a", "b", "c", "d"});
  fixture.produce("train", {0, 1, 2, 3});
  const Json batch = fixture.body_of<wire::GetMetaResponse>(by_sampler(0));
  REQUIRE(is_done(save(fixture, folder.file("c.pkl"))));
  ControllerFixture same(config(folder), grpo());
  REQUIRE(is_done(load(same, folder.file("c.pkl"))));
  CHECK(same.body_of<wire::GetMetaResponse>(by_sampler(0)) == batch);
  CHECK(same.body_of<wire::GetMetaResponse>(by_sampler(1)) != batch);
  // Batches that nobody would keep: another controller than was saved.
  ControllerFixture sequential(config(folder));
  sequential.register_keys("mine", {"a"});
  const std::string before = visible(sequential);
  CHECK(sentence_of(load(sequential, folder.file("c.pkl"))).find("another sampler kept") !=
        std::string::npos);
  CHECK(visible(sequential) == before);
}

TEST_CASE(
    "controller checkpoint: every truncation and flipped bit is an error that names the file") {
  const CheckpointFolder folder;
  ControllerFixture fixture(config(folder));
  fill(fixture);
  REQUIRE(is_done(save(fixture, folder.file("c.pkl"))));
  const std::string file = folder.bytes_of("c.pkl");
  constexpr size_t kEveryByte = 3000;
  for_each_damage(file, kEveryByte, [&](const std::string& bytes, const std::string& what) {
    INFO(what);
    checkpoint::MemorySource source(bytes, "c.pkl");
    try {
      checkpoint::Reader reader(source, checkpoint::Kind::kController, wire::Limits{});
      controller::read_state(reader, config(folder), {});
      FAIL("it was read");
    } catch (const Error& error) {
      CHECK(std::string(error.what()).find("c.pkl") != std::string::npos);
    }
  });
}

using Sections = std::vector<std::pair<checkpoint::Tag, wire::Frames>>;

Sections sections_of(const std::string& file) {
  checkpoint::MemorySource source(file, "c.pkl");
  checkpoint::Reader reader(source, checkpoint::Kind::kController, wire::Limits{});
  Sections sections;
  while (auto section = reader.next()) {
    sections.emplace_back(section->tag, wire::encode_value(section->value));
  }
  return sections;
}

std::string file_of(const Sections& sections) {
  std::string bytes;
  checkpoint::Writer writer(checkpoint::Kind::kController,
                            [&](std::string_view more) { bytes += more; });
  for (const auto& [tag, frames] : sections) writer.section(tag, wire::Frames(frames));
  writer.finish();
  return bytes;
}

// Calls look(file) with files whose checksums are right and of whose content one bit was changed,
// so that only the checks of the content are left.
template <class Look>
void for_each_lie(const Sections& sections, Look&& look) {
  constexpr size_t kPlaces = 24;  // a buffer
  for (size_t i = 0; i < sections.size(); ++i) {
    for (size_t frame = 0; frame < sections[i].second.size(); ++frame) {
      const std::string good(sections[i].second[frame].view());
      for (size_t at = 0; at < good.size(); at += 1 + good.size() / kPlaces) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
        Sections lying = sections;
        lying[i].second[frame] = Slice::copy_of(bad);
        look(file_of(lying));
      }
    }
  }
}

TEST_CASE("controller checkpoint: content that cannot be is refused, or is a state") {
  const CheckpointFolder folder;
  ControllerFixture fixture(config(folder));
  fill(fixture);
  REQUIRE(is_done(save(fixture, folder.file("c.pkl"))));
  size_t refused = 0, read = 0;
  for_each_lie(sections_of(folder.bytes_of("c.pkl")), [&](const std::string& file) {
    checkpoint::MemorySource source(file, "lie.pkl");
    try {
      checkpoint::Reader reader(source, checkpoint::Kind::kController, wire::Limits{});
      controller::read_state(reader, config(folder), {});
    } catch (const Error& error) {
      CHECK(std::string(error.what()).find("lie.pkl") != std::string::npos);
      ++refused;
      return;
    }
    constexpr size_t kServed = 16;  // of those that are read, each 16th serves as well
    if (read++ % kServed != 0) return;
    std::ofstream(folder.file("lie.pkl"), std::ios::binary) << file;
    ControllerFixture other(config(folder));
    if (load(other, folder.file("lie.pkl")).at("request_type") != "REQUEST_ERROR") {
      visible(other);
      other.register_keys("train", {"one more"});
    }
  });
  CHECK(refused > 100);
  CHECK(read > 0);  // a letter of a key, say
}

TEST_CASE("controller checkpoint: refusals") {
  const CheckpointFolder folder;
  ControllerFixture without;
  CHECK(sentence_of(without.ask(wire::SaveControllerCheckpoint{"/x"}))
            .find("NotImplementedError: this node was started without a checkpoint root") !=
        std::string::npos);
  ControllerFixture fixture(config(folder));
  CHECK(sentence_of(save(fixture, "/etc/x")).find("does not lie below") != std::string::npos);
  CHECK(sentence_of(load(fixture, folder.file("none"))).find("No such file") != std::string::npos);
}

}  // namespace
}  // namespace tq::test
