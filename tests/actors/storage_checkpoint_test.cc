// SPDX-License-Identifier: Apache-2.0
// Checkpoints of a storage unit: what was put comes back as it was, and no damaged file changes
// anything.
#include <fmt/format.h>

#include "actors/checkpoint_fixture.h"
#include "actors/storage_fixture.h"
#include "storage/store_file.h"
#include "support/canonical.h"
#include "wire/checkpoint_extension.h"

namespace tq::test {
namespace {

using storage::Share;
using storage::StorageUnit;
using storage::Store;
using wire::Array;
using wire::Map;
using wire::Value;

storage::StorageConfig config(const CheckpointFolder& folder) {
  storage::StorageConfig config;
  config.checkpoint_root = folder.root();
  return config;
}

runtime::Outcome begin(StorageUnit& unit, const wire::Frames& frames) {
  runtime::Request request{wire::decode(frames, wire::Limits{}).value(),
                           std::chrono::steady_clock::now()};
  return unit.handle(request, request.received_at);
}

template <class Message>
runtime::Outcome begin(StorageUnit& unit, const Message& message,
                       const std::optional<wire::CheckpointOrder>& order = std::nullopt) {
  wire::Extension extension{wire::Extension::kVersion, "1", ""};
  if (order) extension.more = order->to_extension();
  return begin(unit, wire::Frames(wire::pack_request("c", unit.id(), message, extension)));
}

bool succeeded(const Answer& answer) {
  INFO(answer.message());
  return *answer.envelope.body.find("success")->get_if<bool>();
}

Answer save(StorageUnit& unit, const std::string& path) {
  return decoded(finish(begin(unit, wire::SaveStorageCheckpoint{path})).frames);
}
Answer load(StorageUnit& unit, const std::string& path,
            const std::optional<wire::CheckpointOrder>& order = std::nullopt) {
  return decoded(finish(begin(unit, wire::LoadStorageCheckpoint{path}, order)).frames);
}

Value tensordict(int64_t rows, Map columns) {
  return Map{
      {"__tq_tensordict__", true}, {"batch_size", Array{rows}}, {"data", std::move(columns)}};
}

wire::Tensor large(size_t bytes) {
  return {wire::DType::uint8, {static_cast<int64_t>(bytes)}, make_frame(bytes, 3).slice};
}

const wire::Names kFields = {"dense", "ragged", "big",   "text",   "numpy",
                             "dicts", "td",     "empty", "object", "shared"};

// One column of each form that a unit keeps in its own way.
void fill(StorageUnit& unit) {
  const auto numpy = wire::NdArray{"<f8", {4, 2}, counting({8}).data};
  const auto opaque = wire::Opaque{1, wire::Slice::copy_of("\x80\x04N.")};
  Map columns{{"dense", counting({4, 3})},
              {"ragged", Array{counting({1}), counting({5}), counting({0}), counting({2}, 7)}},
              {"big", Array{large(5000), large(70000), counting({2}), large(9000)}},
              {"text", Array{"a", "", "длинный", Value()}},
              {"numpy", numpy},
              {"dicts", Array{Map{{"x", 1}}, Map{}, Map{{"t", counting({2})}}, 1.5}},
              {"td", tensordict(4, {{"a", counting({4, 2})}, {"b", Array{"p", "q", "r", "s"}}})},
              {"object", Array{opaque, opaque, true, wire::NestedTensor{true, {counting({2})}}}}};
  CHECK(put(unit, {0, 3, 5, 1'000'000}, columns).type() == "PUT_DATA_RESPONSE");
  CHECK(put(unit, {3, 9}, {{"dense", counting({2, 3}, 100)}}).type() == "PUT_DATA_RESPONSE");
  CHECK(put(unit, {}, {{"empty", Array{}}}).type() == "PUT_DATA_RESPONSE");
  CHECK(put(unit, {77}, Map{}).type() == "PUT_DATA_RESPONSE");  // a sample without a row
  Array many;
  for (int i = 0; i < 20; ++i) many.emplace_back(counting({2}, i));
  wire::Indexes indexes;
  for (int64_t i = 0; i < 20; ++i) indexes.push_back(200 + i);
  CHECK(put(unit, indexes, {{"shared", std::move(many)}}).type() == "PUT_DATA_RESPONSE");
  // Of its block little is left: it was compacted.
  wire::Indexes cleared(indexes.begin(), indexes.begin() + 15);
  CHECK(clear(unit, cleared).type() == "CLEAR_DATA_RESPONSE");
}

// Each row of each field as a peer sees it.
std::string contents(StorageUnit& unit, const wire::Indexes& indexes) {
  std::string text = fmt::format("{} samples\n", unit.store().active_keys());
  for (const std::string& field : kFields) {
    for (const int64_t index : indexes) {
      const Answer answer = get(unit, {field}, {index});
      const Value* data = answer.envelope.body.find("data");
      text += fmt::format(
          "{} {} {}\n", field, index,
          data != nullptr ? canonical(row_of(answer.column(field), 0)).dump() : answer.type());
    }
  }
  return text;
}

const wire::Indexes kAll = {0, 3, 5, 9, 77, 200, 214, 215, 217, 219, 1'000'000};

TEST_CASE("storage checkpoint: every kind of column comes back as it was") {
  const CheckpointFolder folder;
  StorageUnit unit(config(folder));
  fill(unit);
  CHECK(succeeded(save(unit, folder.file("a.pkl"))));
  StorageUnit other(config(folder));
  put(other, {4}, {{"dense", counting({1, 3})}});  // goes
  CHECK(succeeded(load(other, folder.file("a.pkl"))));
  CHECK(contents(other, kAll) == contents(unit, kAll));
  CHECK(get(other, {"dense"}, {4}).type() == "GET_ERROR");
  CHECK(get(other, {"empty"}, {}).type() == "GET_DATA_RESPONSE");
  CHECK(get(other, {"never"}, {}).says("known fields are 'dense', 'ragged', 'big'"));
  // What was loaded is saved alike.
  CHECK(succeeded(save(other, folder.file("b.pkl"))));
  StorageUnit third(config(folder));
  CHECK(succeeded(load(third, folder.file("b.pkl"))));
  CHECK(contents(third, kAll) == contents(unit, kAll));
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 2);
}

TEST_CASE("storage checkpoint: it is the state of the moment when it was asked for") {
  const CheckpointFolder folder;
  StorageUnit unit(config(folder));
  fill(unit);
  const std::string before = contents(unit, kAll);
  runtime::Outcome saving = begin(unit, wire::SaveStorageCheckpoint{folder.file("a.pkl")});
  clear(unit, {0, 3, 5, 200, 215, 216, 217, 218, 219});
  put(unit, {9, 10}, {{"dense", counting({2, 3}, 900)}, {"text", Array{"new", "new"}}});
  const std::string after = contents(unit, kAll);
  CHECK(succeeded(decoded(finish(std::move(saving)).frames)));
  CHECK(contents(unit, kAll) == after);
  StorageUnit other(config(folder));
  CHECK(succeeded(load(other, folder.file("a.pkl"))));
  CHECK(contents(other, kAll) == before);
}

TEST_CASE(
    "storage checkpoint: saving copies no payload, and what is cleared meanwhile goes after") {
  const CheckpointFolder folder;
  StorageUnit unit(config(folder));
  Frame frame = make_frame(1 << 20);
  Frame kept = make_frame(1 << 20);
  const auto tensor = [](const Frame& f) {
    return wire::Tensor{wire::DType::uint8, {int64_t{1} << 20}, f.slice};
  };
  // Straight into the unit, as the loop would: the frames are the rows' memory.
  wire::Encoder encoder;
  encoder.value(Map{{"global_indexes", Array{1, 2}},
                    {"data", Map{{"x", Array{tensor(frame), tensor(kept)}}}}});
  {
    Value body = wire::decode_value(wire::Frames(encoder.finish()), wire::Limits{}).value();
    runtime::Request request{{"PUT", "c", std::nullopt, "1", 0, std::move(body)}, {}};
    unit.handle(request, {});
  }
  frame.slice = {};
  {
    runtime::Outcome saving = begin(unit, wire::SaveStorageCheckpoint{folder.file("a.pkl")});
    clear(unit, {1});
    CHECK_FALSE(frame.alive.expired());  // the snapshot has it
    CHECK(succeeded(decoded(finish(std::move(saving)).frames)));
  }
  clear(unit, {2});
  CHECK(frame.alive.expired());
  StorageUnit other(config(folder));
  CHECK(succeeded(load(other, folder.file("a.pkl"))));
  CHECK(other.store().bytes_stored() > size_t{2} << 20);
  // A row of its own memory: the other one goes alone.
  const size_t held = other.store().bytes_held();
  clear(other, {1});
  CHECK(other.store().bytes_held() < held - (1 << 20) + 4096);
}

std::string file_of(StorageUnit& unit, const CheckpointFolder& folder) {
  REQUIRE(succeeded(save(unit, folder.file("small.pkl"))));
  return folder.bytes_of("small.pkl");
}

void read_bytes(std::string_view bytes, Store& store, const Share& written = {},
                const Share& wanted = {}) {
  checkpoint::MemorySource source(bytes, "small.pkl");
  checkpoint::Reader reader(source, checkpoint::Kind::kStorageUnit, wire::Limits{});
  storage::read_store(reader, written, wanted, store);
}

TEST_CASE("storage checkpoint: every truncation and flipped bit is an error that names the file") {
  const CheckpointFolder folder;
  StorageUnit unit(config(folder));
  put(unit, {1, 2}, {{"x", counting({2, 2})}, {"t", Array{"text", Map{{"k", 1}}}}});
  const std::string file = file_of(unit, folder);
  for_each_damage(file, file.size(), [&](const std::string& bytes, const std::string& what) {
    INFO(what);
    Store store({}, {});
    try {
      read_bytes(bytes, store);
      FAIL("it was read");
    } catch (const Error& error) {
      CHECK(std::string(error.what()).find("small.pkl") != std::string::npos);
    }
  });
  Store store({}, {});
  CHECK_THROWS_AS(read_bytes(file + "x", store), Error);
}

TEST_CASE("storage checkpoint: what cannot be loaded leaves the unit as it is") {
  const CheckpointFolder folder;
  StorageUnit unit(config(folder));
  fill(unit);
  const std::string before = contents(unit, kAll);
  REQUIRE(succeeded(save(unit, folder.file("a.pkl"))));
  const auto refused = [&](const std::string& bytes, const std::string& sentence) {
    runtime::write_file(folder.path() / "bad.pkl", bytes);
    const Answer answer = load(unit, folder.file("bad.pkl"));
    INFO(answer.message());
    CHECK_FALSE(succeeded(answer));
    CHECK(answer.says(sentence));
    CHECK(contents(unit, kAll) == before);
  };
  const std::string whole = folder.bytes_of("a.pkl");
  std::string newer = whole;
  newer[checkpoint::kMagic.size()] = 2;
  std::string of_controller = whole;
  of_controller[checkpoint::kMagic.size() + 4] = 1;
  refused("", "is no checkpoint of TransferQueue nodes in C++, it is empty");
  refused("something else", "is no checkpoint of TransferQueue nodes in C++");
  refused("\x80\x05}.", "load it into Python nodes");
  refused(newer, "load it with the release that saved it, or a later one");
  refused(of_controller, "is the checkpoint of a controller, not of a storage unit");
  refused(whole.substr(0, whole.size() - 9), "cut off");
  CHECK(load(unit, folder.file("none.pkl")).says("No such file"));
  CHECK(load(unit, folder.path().string()).says("is a folder"));
  CHECK(load(unit, "").says("is no path"));
  CHECK(save(unit, folder.file("no/folder.pkl")).says("No such file"));
  CHECK(save(unit, "/etc/tq-test.pkl").says("does not lie below"));
  CHECK(save(unit, folder.file("../tq-test.pkl")).says("does not lie below"));
  std::filesystem::create_directory_symlink("/etc", folder.path() / "link");
  CHECK(save(unit, folder.file("link/tq-test.pkl")).says("does not lie below"));
  CHECK(load(unit, folder.file("link/passwd")).says("does not lie below"));
  CHECK(load(unit, "/etc/no/such").says("does not lie below"));
  StorageUnit without({});
  CHECK(save(without, folder.file("x.pkl")).says("start it with --checkpoint-root"));
  storage::StorageConfig full = config(folder);
  full.capacity_samples = 2;
  StorageUnit too_small(full);
  CHECK(load(too_small, folder.file("a.pkl")).says("--capacity"));
  CHECK(too_small.store().active_keys() == 0);
}

TEST_CASE("storage checkpoint: another number of units take their shares, in two phases") {
  const CheckpointFolder folder;
  constexpr int64_t kSaved = 2, kNow = 3, kSamples = 30;
  std::vector<wire::CheckpointFile> files;
  for (int64_t unit = 0; unit < kSaved; ++unit) {
    StorageUnit saved(config(folder));
    for (int64_t i = unit; i < kSamples; i += kSaved) {
      put(saved, {i}, {{"x", counting({1, 2}, 10 * i)}, {"t", Array{fmt::format("row {}", i)}}});
    }
    wire::Indexes block;
    for (int64_t i = unit; i < kSamples; i += kSaved) block.push_back(i);
    const auto rows = static_cast<int64_t>(block.size());
    put(saved, block, {{"block", counting({rows, 1}, 1000 * unit)}});
    files.push_back({folder.file(fmt::format("{}.pkl", unit)), unit, std::nullopt});
    REQUIRE(succeeded(save(saved, files.back().path)));
  }
  size_t samples = 0;
  for (int64_t unit = 0; unit < kNow; ++unit) {
    StorageUnit loaded(config(folder));
    put(loaded, {unit}, {{"old", counting({1, 1})}});
    wire::CheckpointOrder order{"prepare", "token", unit, kNow, kSaved, files};
    CHECK(succeeded(load(loaded, files[0].path, order)));
    CHECK(get(loaded, {"old"}, {unit}).type() == "GET_DATA_RESPONSE");  // nothing changed yet
    order.phase = "commit";
    order.token = "another";
    CHECK(load(loaded, files[0].path, order).says("nothing is prepared"));
    order.token = "token";
    CHECK(succeeded(load(loaded, files[0].path, order)));
    CHECK(succeeded(load(loaded, files[0].path, order)));  // the order may come twice
    samples += loaded.store().active_keys();
    for (int64_t i = unit; i < kSamples; i += kNow) {
      CHECK(is_tensor(row_of(get(loaded, {"x"}, {i}).column("x"), 0), counting({2}, 10 * i)));
      CHECK(is_tensor(row_of(get(loaded, {"block"}, {i}).column("block"), 0),
                      counting({1}, 1000 * (i % kSaved) + i / kSaved)));
    }
    CHECK(get(loaded, {"x"}, {unit + 1}).says("TQKeyNotFound"));
    // An order that is given up, or that makes no sense, leaves what is there.
    order = {"prepare", "second", unit, kNow, kSaved, files};
    CHECK(succeeded(load(loaded, files[0].path, order)));
    order.phase = "abort";
    CHECK(succeeded(load(loaded, files[0].path, order)));
    order.phase = "commit";
    CHECK_FALSE(succeeded(load(loaded, files[0].path, order)));
    order = {"prepare", "third", kNow, kNow, kSaved, files};
    CHECK(load(loaded, files[0].path, order).says("there is no unit 3 of 3"));
    order = {"now", "third", 0, kNow, kSaved, files};
    CHECK(load(loaded, files[0].path, order).says("must be prepare, commit or abort"));
    // Files of the wrong units would lose rows without a word.
    order = {"prepare", "fourth", unit, kNow, kSaved, {{files[0].path, 1, std::nullopt}}};
    CHECK(load(loaded, files[0].path, order).says("load it into 2 units"));
    order = {"prepare", "fifth", unit, kNow, kSaved, files};
    order.files[0].checksum = "xxh3:0";
    CHECK(load(loaded, files[0].path, order).says("exchanged for another file"));
    CHECK(loaded.store().active_keys() == kSamples / kNow);
  }
  CHECK(samples == kSamples);
}

TEST_CASE("storage checkpoint: a unit queues a few jobs and refuses more") {
  const CheckpointFolder folder;
  StorageUnit unit(config(folder));
  fill(unit);
  std::vector<runtime::Outcome> jobs;
  for (int i = 0; i < 4; ++i) {
    jobs.push_back(begin(unit, wire::SaveStorageCheckpoint{folder.file(fmt::format("{}.pkl", i))}));
  }
  CHECK(save(unit, folder.file("x.pkl")).says("wait for them"));
  for (runtime::Outcome& job : jobs) CHECK(succeeded(decoded(finish(std::move(job)).frames)));
  CHECK(succeeded(save(unit, folder.file("x.pkl"))));
}

}  // namespace
}  // namespace tq::test
