// SPDX-License-Identifier: Apache-2.0
// A unit with an SSD answers as one without; what differs is where the rows lie, and who waits.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "actors/ssd_fixture.h"

namespace tq::test {
namespace {

using storage::StorageConfig;
using storage::StorageUnit;
using wire::Array;
using wire::Map;
using wire::Value;

constexpr size_t kMiB = size_t{1} << 20;

Value tensordict(int64_t rows, Map columns) {
  return Map{
      {"__tq_tensordict__", true}, {"batch_size", Array{rows}}, {"data", std::move(columns)}};
}

const wire::Names kFields = {"dense", "scalar", "ragged", "big",    "text",
                             "numpy", "dicts",  "td",     "object", "nested"};

// One column of each form that a unit keeps in its own way, with small and large rows.
Map columns() {
  const auto numpy = wire::NdArray{"<f8", {4, 2}, counting({8}).data};
  const auto opaque = wire::Opaque{1, wire::Slice::copy_of("\x80\x04N.")};
  return {{"dense", counting({4, 300})},
          {"scalar", counting({4})},
          {"ragged", Array{counting({1}), counting({50}), counting({0}), counting({20}, 7)}},
          {"big", Array{bytes_tensor(5000), bytes_tensor(70000), counting({2}), bytes_tensor(9)}},
          {"text", Array{"a", "", std::string(3000, 'x'), Value()}},
          {"numpy", numpy},
          {"dicts", Array{Map{{"x", 1}}, Map{}, Map{{"t", counting({200})}}, 1.5}},
          {"td", tensordict(4, {{"a", counting({4, 20})}, {"b", Array{"p", "q", "r", "s"}}})},
          {"object", Array{opaque, std::string(500, '\0'), true, int64_t{-3}}},
          {"nested", Array{wire::NestedTensor{true, {counting({90})}}, Value(), 2, "s"}}};
}

const wire::Indexes kAll = {0, 3, 5, 1'000'000};

// What a peer receives but for the envelope, whose sender and times differ.
std::string payload(const Answer& answer) {
  std::string bytes = answer.type();
  for (const wire::Slice& frame : wire::encode_value(answer.envelope.body)) {
    bytes += fmt::format("|{}:", frame.size);
    bytes += frame.view();
  }
  for (const wire::Slice& frame : std::span(answer.frames).subspan(1)) bytes += frame.view();
  return bytes;
}

std::string contents(StorageUnit& unit) {
  std::string bytes;
  const auto get = [&](const wire::Names& fields, const wire::Indexes& indexes) {
    const Answer answer = ask_get(unit, fields, indexes);
    CHECK(answer.type() == "GET_DATA_RESPONSE");
    bytes += payload(answer);
  };
  get(kFields, kAll);
  for (const std::string& field : kFields) {
    get({field}, {1'000'000, 5, 3, 0});
    get({field}, {3, 3, 0, 3});
    get({field, field}, {5});
    get({field}, {});
  }
  return bytes;
}

TEST_CASE("ssd: replies are those of a unit that keeps all rows in memory") {
  const uint64_t threshold = GENERATE(1, 8, 100, 1000, 100'000);
  const CheckpointFolder folder;
  StorageUnit memory({});
  StorageUnit unit(on_ssd(folder, threshold));
  for (StorageUnit* each : {&memory, &unit}) {
    REQUIRE(ask_put(*each, kAll, columns()).type() == "PUT_DATA_RESPONSE");
  }
  CHECK(segments(folder).size() == (threshold < 100'000 ? 1 : 0));
  CHECK(contents(unit) == contents(memory));
  // Some rows replaced, of the same index the last wins, some gone.
  for (StorageUnit* each : {&memory, &unit}) {
    ask_put(*each, {3, 9, 9}, {{"dense", counting({3, 300}, 77)}, {"text", Array{"n", "1", "2"}}});
    ask_put(*each, {5}, {{"big", Array{"now small"}}, {"scalar", Array{bytes_tensor(4000)}}});
  }
  CHECK(contents(unit) == contents(memory));
  for (const wire::Indexes& indexes : {wire::Indexes{9}, wire::Indexes{9, 3, 9}}) {
    CHECK(payload(ask_get(unit, {"dense", "text"}, indexes)) ==
          payload(ask_get(memory, {"dense", "text"}, indexes)));
  }
  ask_clear(unit, {0, 3, 5, 9, 12});
  ask_clear(memory, {0, 3, 5, 9, 12});
  for (const std::string& field : kFields) {
    CHECK(payload(ask_get(unit, {field}, {1'000'000})) ==
          payload(ask_get(memory, {field}, {1'000'000})));
  }
  CHECK(ask_get(unit, {"dense"}, {1'000'000, 0}).says("global index 0 has no row"));
  CHECK(ask_get(unit, {"never"}, {0}).says("there is no field 'never'"));
  ask_clear(unit, {1'000'000});
  CHECK(segments(folder).empty());
  CHECK(told(unit, "ssd_active_values") == 0);
  CHECK(told(unit, "ssd_active_bytes") == 0);
}

TEST_CASE("ssd: metrics count values and their payload, memory is what stays there") {
  const CheckpointFolder folder;
  StorageUnit unit(on_ssd(folder, 4096));
  CHECK(told(unit, "ssd_offload_enabled") == 1);
  StorageUnit without({});
  CHECK(told(without, "ssd_offload_enabled") == 0);
  Map both{{"x", wire::Tensor{wire::DType::uint8, {3, 4096}, make_frame(3 * 4096).slice}},
           {"y", Array{bytes_tensor(4095), bytes_tensor(8000), "text"}}};
  ask_put(unit, {1, 2, 3}, std::move(both));
  CHECK(told(unit, "ssd_active_values") == 4);
  CHECK(told(unit, "ssd_active_bytes") == 3 * 4096 + 8000);
  CHECK(unit.store().bytes_stored() < 4096 + 1000);
  CHECK(unit.store().bytes_held() < 4096 + 1000);
  ask_clear(unit, {2});
  CHECK(told(unit, "ssd_active_values") == 2);
  CHECK(told(unit, "ssd_active_bytes") == 2 * 4096);
  ask_put(unit, {1}, {{"x", Array{"small"}}});
  CHECK(told(unit, "ssd_active_values") == 1);
  CHECK(told(unit, "ssd_fallback_values_total") == 0);
}

TEST_CASE("ssd: a bound of bytes is of memory; what is refused is refused before it is written") {
  const CheckpointFolder folder;
  StorageConfig config = on_ssd(folder, 4096);
  config.capacity_bytes = 20'000;
  config.capacity_samples = 8;
  StorageUnit unit(config);
  CHECK(ask_put(unit, {1}, {{"x", Array{bytes_tensor(kMiB)}}}).type() == "PUT_DATA_RESPONSE");
  const auto refused = [&](wire::Indexes indexes, Map put, const std::string& sentence) {
    const runtime::Outcome outcome =
        begin(unit, wire::PutData{std::move(indexes), std::move(put), {}});
    REQUIRE_FALSE(waits(outcome));
    const Answer answer = decoded(wire::Frames(std::get<runtime::Reply>(outcome).frames));
    INFO(answer.message());
    CHECK(answer.type() == "PUT_ERROR");
    CHECK(answer.says(sentence));
    CHECK(segments(folder).size() == 1);
  };
  refused({2, 3}, {{"x", Array{bytes_tensor(kMiB)}}}, "has 1 rows, but global_indexes names 2");
  wire::Indexes eight = {2, 3, 4, 5, 6, 7, 8, 9};
  const auto eight_of = [](size_t bytes) { return Array(8, Value(bytes_tensor(bytes))); };
  refused(eight, {{"x", eight_of(kMiB)}}, "larger --capacity");
  eight[7] = 1;  // which is there
  refused(eight, {{"x", eight_of(kMiB)}, {"y", eight_of(3000)}}, "larger --capacity-bytes");
  CHECK(ask_put(unit, eight, {{"x", eight_of(kMiB)}, {"y", eight_of(2000)}}).type() ==
        "PUT_DATA_RESPONSE");
}

TEST_CASE("ssd: others are served while rows are written; puts of the same samples go behind") {
  const CheckpointFolder folder;
  StorageUnit unit(on_ssd(folder, 4096));
  ask_put(unit, {1, 2}, {{"x", Array{"old", "old"}}});
  runtime::Outcome large =
      begin(unit, wire::PutData{{1}, Map{{"x", Array{bytes_tensor(10'000)}}}, {}});
  REQUIRE(waits(large));
  CHECK_FALSE(waits(begin(unit, wire::PutData{{2}, Map{{"x", Array{"new"}}}, {}})));
  CHECK(*row_of(get(unit, {"x"}, {1}).column("x"), 0).get_if<std::string>() == "old");
  CHECK(*row_of(get(unit, {"x"}, {2}).column("x"), 0).get_if<std::string>() == "new");
  runtime::Outcome small = begin(unit, wire::PutData{{1}, Map{{"x", Array{"last"}}}, {}});
  runtime::Outcome cleared = begin(unit, wire::ClearData{{2, 1}});
  runtime::Outcome again = begin(unit, wire::PutData{{1}, Map{{"y", Array{"y"}}}, {}});
  REQUIRE(waits(small));
  REQUIRE(waits(cleared));
  REQUIRE(waits(again));
  CHECK(decoded(finish(std::move(large)).frames).type() == "PUT_DATA_RESPONSE");
  CHECK(is_tensor(row_of(ask_get(unit, {"x"}, {1}).column("x"), 0), bytes_tensor(10'000)));
  CHECK(decoded(finish(std::move(small)).frames).type() == "PUT_DATA_RESPONSE");
  CHECK(*row_of(get(unit, {"x"}, {1}).column("x"), 0).get_if<std::string>() == "last");
  CHECK(decoded(finish(std::move(cleared)).frames).type() == "CLEAR_DATA_RESPONSE");
  CHECK(get(unit, {"x"}, {1}).type() == "GET_ERROR");
  CHECK(decoded(finish(std::move(again)).frames).type() == "PUT_DATA_RESPONSE");
  CHECK(get(unit, {"y"}, {1}).type() == "GET_DATA_RESPONSE");
  // Nothing is being written any more.
  CHECK_FALSE(waits(begin(unit, wire::PutData{{1}, Map{{"x", Array{"now"}}}, {}})));
  CHECK_FALSE(waits(begin(unit, wire::ClearData{{1}})));
}

TEST_CASE("ssd: a GET gives the rows of its moment, whatever becomes of them meanwhile") {
  const CheckpointFolder folder;
  StorageUnit unit(on_ssd(folder, 4096));
  Array rows;
  wire::Indexes indexes;
  for (int i = 0; i < 10; ++i) {
    rows.emplace_back(bytes_tensor(100'000, static_cast<char>(i)));
    indexes.push_back(i);
  }
  ask_put(unit, indexes, {{"x", rows}});
  runtime::Outcome got = begin(unit, wire::GetData{{"x"}, indexes});
  REQUIRE(waits(got));
  // The block is compacted, the rows' space would be given back, and is written again.
  ask_clear(unit, {0, 1, 2, 3, 4, 5, 6, 7});
  ask_clear(unit, {8});
  ask_put(unit, {9}, {{"x", Array{bytes_tensor(100'000, 99)}}});
  for (int i = 0; i < 3; ++i) ask_put(unit, {i}, {{"x", Array{bytes_tensor(1 << 20, 55)}}});
  const Answer answer = decoded(finish(std::move(got)).frames);
  for (size_t i = 0; i < 10; ++i) {
    CHECK(is_tensor(row_of(answer.column("x"), i), bytes_tensor(100'000, static_cast<char>(i))));
  }
  got = runtime::Reply{};
  if (const auto chores = unit.take_chores()) chores();
  CHECK(segments(folder).size() == 4);
}

TEST_CASE("ssd: the space of a dead row comes back while others of its file live") {
  const CheckpointFolder folder;
  StorageUnit unit(on_ssd(folder, 4096));
  ask_put(unit, {1, 2, 3},
          {{"x", Array{bytes_tensor(kMiB), bytes_tensor(kMiB), bytes_tensor(kMiB)}}});
  REQUIRE(segments(folder).size() == 1);
  const auto blocks = [&] {
    struct stat status {};
    REQUIRE(::stat(segments(folder)[0].c_str(), &status) == 0);
    return static_cast<size_t>(status.st_blocks) * 512;
  };
  CHECK(blocks() >= 3 * kMiB);
  ask_clear(unit, {2});
  CHECK(blocks() < 2 * kMiB + 64 * 1024);
  CHECK(is_tensor(row_of(ask_get(unit, {"x"}, {3}).column("x"), 0), bytes_tensor(kMiB)));
}

TEST_CASE("ssd: a file that is not as it was written is an error that names field, row and file") {
  const CheckpointFolder folder;
  StorageUnit unit(on_ssd(folder, 4096));
  ask_put(unit, {1, 2}, {{"x", Array{bytes_tensor(5000), bytes_tensor(9000)}}});
  ask_put(unit, {3}, {{"x", Array{bytes_tensor(6000)}}});
  const std::filesystem::path file = segments(folder).at(0);
  const std::string whole = runtime::read_file(file);
  const auto fails = [&](const std::string& why) {
    const Answer answer = ask_get(unit, {"x"}, {1, 2});
    INFO(answer.message());
    CHECK(answer.type() == "GET_ERROR");
    CHECK(answer.says("field 'x'"));
    CHECK(answer.says("global index 2"));
    CHECK(answer.says(file.string()));
    CHECK(answer.says(why));
    CHECK(ask_get(unit, {"x"}, {3, 1}).type() == "GET_DATA_RESPONSE");
    const Answer saved = ask(unit, wire::SaveStorageCheckpoint{folder.file("c.pkl")});
    CHECK(saved.says(file.string()));
    CHECK_FALSE(std::filesystem::exists(folder.path() / "c.pkl"));
  };
  std::filesystem::resize_file(file, whole.size() - 1);
  fails("was cut off");
  std::string flipped = whole;
  flipped.back() = static_cast<char>(flipped.back() ^ 1);
  runtime::write_file(file, flipped);
  fails("checksum");
  runtime::write_file(file, whole);
  CHECK(ask_get(unit, {"x"}, {1, 2}).type() == "GET_DATA_RESPONSE");
  std::filesystem::remove(file);
  CHECK(ask_get(unit, {"x"}, {2}).says("No such file"));
  CHECK(ask_clear(unit, {1, 2, 3}).type() == "CLEAR_DATA_RESPONSE");
}

/// Files of this process grow no further: what a full disk says.
class FullDisk {
 public:
  explicit FullDisk(size_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
    const rlimit full{bytes, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &full) == 0);
  }
  ~FullDisk() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
};

TEST_CASE("ssd: on a full disk rows stay in memory, or are refused where there is no room") {
  const CheckpointFolder folder;
  StorageConfig config = on_ssd(folder, 4096);
  config.capacity_bytes = 4 * kMiB;
  StorageUnit unit(config);
  ask_put(unit, {1}, {{"x", Array{bytes_tensor(kMiB)}}});
  {
    const FullDisk full(kMiB / 2);
    CHECK(ask_put(unit, {2, 3}, {{"x", Array{bytes_tensor(5000), bytes_tensor(kMiB, 2)}}}).type() ==
          "PUT_DATA_RESPONSE");
    CHECK(told(unit, "ssd_fallback_values_total") == 2);
    CHECK(told(unit, "ssd_active_values") == 1);
    CHECK(segments(folder).size() == 1);
    CHECK(is_tensor(row_of(ask_get(unit, {"x"}, {3}).column("x"), 0), bytes_tensor(kMiB, 2)));
    const Answer refused = ask_put(unit, {1, 4}, {{"x", Array{1, bytes_tensor(4 * kMiB)}}});
    CHECK(refused.type() == "PUT_ERROR");
    CHECK(refused.says("--capacity-bytes"));
    CHECK(is_tensor(row_of(ask_get(unit, {"x"}, {1}).column("x"), 0), bytes_tensor(kMiB)));
    CHECK(segments(folder).size() == 1);
  }
  CHECK(ask_put(unit, {1, 4}, {{"x", Array{1, bytes_tensor(4 * kMiB)}}}).type() ==
        "PUT_DATA_RESPONSE");
  CHECK(told(unit, "ssd_active_values") == 1);
  CHECK(told(unit, "ssd_fallback_values_total") == 3);
}

TEST_CASE("ssd: a folder that went away keeps rows in memory") {
  const CheckpointFolder folder;
  StorageUnit unit(on_ssd(folder, 4096));
  std::filesystem::remove_all(folder.path() / "ssd");
  CHECK(ask_put(unit, {1}, {{"x", Array{bytes_tensor(5000)}}}).type() == "PUT_DATA_RESPONSE");
  CHECK(told(unit, "ssd_fallback_values_total") == 1);
  CHECK(is_tensor(row_of(ask_get(unit, {"x"}, {1}).column("x"), 0), bytes_tensor(5000)));
}

TEST_CASE("ssd: checkpoints hold what lies there, and load into units with and without") {
  const CheckpointFolder folder;
  StorageUnit memory(on_ssd(folder, kMiB * 100));
  StorageUnit unit(on_ssd(folder, 100));
  for (StorageUnit* each : {&memory, &unit}) ask_put(*each, kAll, columns());
  const std::string expected = contents(memory);
  const auto succeeded = [](const Answer& answer) {
    INFO(answer.message());
    return *answer.envelope.body.find("success")->get_if<bool>();
  };
  // It is the state of its moment, though rows go meanwhile.
  runtime::Outcome saving = begin(unit, wire::SaveStorageCheckpoint{folder.file("ssd.pkl")});
  ask_clear(unit, {0, 3, 5});
  ask_clear(unit, {1'000'000});
  CHECK(succeeded(decoded(finish(std::move(saving)).frames)));
  saving = runtime::Reply{};
  if (const auto chores = unit.take_chores()) chores();
  CHECK(segments(folder).empty());
  CHECK(succeeded(ask(memory, wire::SaveStorageCheckpoint{folder.file("memory.pkl")})));
  for (const char* file : {"ssd.pkl", "memory.pkl"}) {
    StorageUnit without(on_ssd(folder, kMiB * 100));
    CHECK(succeeded(ask(without, wire::LoadStorageCheckpoint{folder.file(file)})));
    CHECK(contents(without) == expected);
    CHECK(told(without, "ssd_active_values") == 0);
    CHECK(succeeded(ask(unit, wire::LoadStorageCheckpoint{folder.file(file)})));
    CHECK(contents(unit) == expected);
    CHECK(told(unit, "ssd_active_values") > 8);
  }
  ask_clear(unit, kAll);
  CHECK(segments(folder).empty());
  CHECK_FALSE(succeeded(ask(unit, wire::LoadStorageCheckpoint{folder.file("none.pkl")})));
}

TEST_CASE("ssd: a GET that names rows again and again reads each once, and is bounded") {
  const CheckpointFolder folder;
  StorageConfig config = on_ssd(folder, 64);
  config.limits.rows_max = 5000;
  config.limits.header_bytes_max = 100'000;
  StorageUnit unit(config);
  ask_put(unit, {1}, {{"x", counting({1, 100})}, {"y", Array{std::string(1000, 'y')}}});
  const wire::Indexes same(3000, 1);
  CHECK(ask_get(unit, {"x", "y"}, same).says("ask for fewer at once"));
  CHECK(ask_get(unit, {"y"}, same).says("the reply would be too large"));
  const Answer answer = ask_get(unit, {"y"}, wire::Indexes(50, 1));
  CHECK(answer.column("y").get_if<Array>()->size() == 50);
}

}  // namespace
}  // namespace tq::test
