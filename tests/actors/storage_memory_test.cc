// SPDX-License-Identifier: Apache-2.0
// Who holds which memory: large rows leave in the memory that they came in, small ones pin no
// frame, and a block that is mostly dead lets its frame go.
#include "actors/storage_fixture.h"
#include "storage/sizes.h"

namespace tq::test {
namespace {

using storage::StorageUnit;
using wire::Array;
using wire::Map;
using wire::Tensor;
using wire::Value;

constexpr int64_t kLargeRow = 64 * 1024;

Tensor bytes_tensor(wire::Shape shape, const wire::Slice& slice) {
  return {wire::DType::uint8, std::move(shape), slice};
}

// Puts through the decoder, from frames as libzmq delivers them; no reference to them is left.
void put_frames(StorageUnit& unit, const wire::Indexes& indexes, Map columns) {
  const wire::Frames frames = wire::pack_request("TQ_STORAGE_test", unit.id(),
                                                 wire::PutData{indexes, std::move(columns), {}});
  REQUIRE(send(unit, frames).type() == "PUT_DATA_RESPONSE");
}

TEST_CASE("storage: large rows of a dense column leave as slices of the frame that came in") {
  StorageUnit unit({});
  Frame frame = make_frame(4 * kLargeRow);
  const std::byte* memory = frame.slice.data;
  put_frames(unit, {1, 2, 3, 4}, {{"x", bytes_tensor({4, kLargeRow}, frame.slice)}});
  frame.slice = {};
  const Answer answer = get(unit, {"x"}, {4, 1, 2});
  REQUIRE(answer.frames.size() == 4);  // a header and a frame a row
  CHECK(answer.frames[1].data == memory + 3 * kLargeRow);
  CHECK(answer.frames[2].data == memory);
  CHECK(answer.frames[3].data == memory + kLargeRow);
  CHECK(answer.frames[1].size == kLargeRow);
  CHECK(row_of(answer.column("x"), 0).get_if<Tensor>()->shape == wire::Shape{kLargeRow});
  CHECK_FALSE(frame.alive.expired());
}

TEST_CASE("storage: large rows of a list, and large buffers inside values, are not copied") {
  StorageUnit unit({});
  Frame row = make_frame(kLargeRow);
  Frame inside = make_frame(kLargeRow);
  const std::byte* row_memory = row.slice.data;
  const std::byte* inside_memory = inside.slice.data;
  put_frames(unit, {1, 2},
             {{"x", Array{bytes_tensor({kLargeRow}, row.slice), counting({1})}},
              {"v", Array{Map{{"image", bytes_tensor({256, 256}, inside.slice)}}, "text"}}});
  row.slice = inside.slice = {};
  const Answer answer = get(unit, {"v", "x"}, {1});
  REQUIRE(answer.frames.size() == 3);
  CHECK(answer.frames[1].data == inside_memory);
  CHECK(answer.frames[2].data == row_memory);
}

TEST_CASE("storage: small rows in order leave as one slice, gathered ones as one copy") {
  StorageUnit unit({});
  Frame frame = make_frame(64 * 1024);
  const std::byte* memory = frame.slice.data;
  wire::Indexes indexes(64);
  for (size_t i = 0; i < indexes.size(); ++i) indexes[i] = static_cast<int64_t>(3 * i);
  put_frames(unit, indexes, {{"x", bytes_tensor({64, 1024}, frame.slice)}});
  const Answer in_order = get(unit, {"x"}, {6, 9, 12});
  REQUIRE(in_order.frames.size() == 2);
  CHECK(in_order.frames[1].data == memory + 2 * 1024);
  CHECK(in_order.frames[1].size == 3 * 1024);
  const Answer mixed = get(unit, {"x"}, {9, 6});
  REQUIRE(mixed.frames.size() == 2);
  CHECK(mixed.frames[1].view() == std::string(frame.slice.sub(3072, 1024).view()) +
                                      std::string(frame.slice.sub(2048, 1024).view()));
}

TEST_CASE("storage: rows are gathered below the size from which on they are frames") {
  StorageUnit unit({});
  const auto below = static_cast<int64_t>(storage::kDenseRowBytes) - 1;
  const Frame small = make_frame(static_cast<size_t>(2 * below));
  const Frame large = make_frame(static_cast<size_t>(2 * below + 2));
  put_frames(unit, {1, 2},
             {{"small", bytes_tensor({2, below}, small.slice)},
              {"large", bytes_tensor({2, below + 1}, large.slice)}});
  const Answer answer = get(unit, {"small", "large"}, {2, 1});
  CHECK(answer.column("small").get_if<Tensor>() != nullptr);
  CHECK(answer.column("large").get_if<Array>() != nullptr);
}

TEST_CASE("storage: small buffers of every kind of column pin no frame") {
  StorageUnit unit({});
  std::vector<Frame> frames;
  const auto small = [&](wire::Shape shape) {
    frames.push_back(make_frame(static_cast<size_t>(wire::element_count(shape))));
    return bytes_tensor(std::move(shape), frames.back().slice);
  };
  const auto small_array = [&] {
    frames.push_back(make_frame(20));
    return wire::NdArray{"uint8", {2, 10}, frames.back().slice};
  };
  put_frames(unit, {1, 2},
             {{"dense", small({2, 8})},
              {"alike", Array{small({5}), small({5})}},
              {"ragged", Array{small({5}), small({6})}},
              {"nested", wire::NestedTensor{true, {small({1}), small({2})}}},
              {"mixed", Array{small({5}), "text"}},
              {"inside", Array{Map{{"a", Array{small({3})}}}, small_array()}},
              {"array", small_array()},
              {"td", Map{{"__tq_tensordict__", true},
                         {"batch_size", Array{2}},
                         {"data", Map{{"a", small({2, 2})}}}}}});
  REQUIRE(frames.size() == 12);
  for (Frame& frame : frames) frame.slice = {};
  for (const Frame& frame : frames) CHECK(frame.alive.expired());
  const Answer answer = get(unit, {"ragged", "td"}, {2});
  CHECK(row_of(answer.column("ragged"), 0).get_if<Tensor>()->shape == wire::Shape{6});
}

TEST_CASE("storage: a frame goes when most of its rows are cleared, and the others stay readable") {
  StorageUnit unit({});
  Frame frame = make_frame(8 * kLargeRow);
  const std::string bytes(frame.slice.view());
  put_frames(unit, {0, 1, 2, 3, 4, 5, 6, 7}, {{"x", bytes_tensor({8, kLargeRow}, frame.slice)}});
  frame.slice = {};
  clear(unit, {0, 2, 4, 6});
  CHECK_FALSE(frame.alive.expired());  // half of it lives
  CHECK(unit.store().bytes_held() == 8 * kLargeRow);
  clear(unit, {1});
  CHECK(frame.alive.expired());
  CHECK(unit.store().bytes_held() == 3 * kLargeRow);
  CHECK(unit.store().bytes_stored() == 3 * kLargeRow);
  Answer answer = get(unit, {"x"}, {7, 3, 5});
  CHECK(answer.frames[1].view() == bytes.substr(7 * kLargeRow, kLargeRow));
  CHECK(answer.frames[2].view() == bytes.substr(3 * kLargeRow, kLargeRow));
  CHECK(answer.frames[3].view() == bytes.substr(5 * kLargeRow, kLargeRow));
  // Once more, from what was compacted.
  clear(unit, {3, 7});
  CHECK(unit.store().bytes_held() == kLargeRow);
  CHECK(get(unit, {"x"}, {5}).frames[1].view() == bytes.substr(5 * kLargeRow, kLargeRow));
  CHECK(get(unit, {"x"}, {7}).says("TQKeyNotFound"));
}

TEST_CASE("storage: overwriting most of a frame lets it go") {
  StorageUnit unit({});
  Frame frame = make_frame(4 * kLargeRow);
  put_frames(unit, {0, 1, 2, 3}, {{"x", bytes_tensor({4, kLargeRow}, frame.slice)}});
  frame.slice = {};
  const Frame other = make_frame(3 * kLargeRow, 'o');
  put_frames(unit, {3, 0, 2}, {{"x", bytes_tensor({3, kLargeRow}, other.slice)}});
  CHECK(frame.alive.expired());
  CHECK(unit.store().bytes_held() == 4 * kLargeRow);
  CHECK(get(unit, {"x"}, {0}).frames[1].view() == other.slice.sub(kLargeRow, kLargeRow).view());
  CHECK(row_of(get(unit, {"x"}, {1}).column("x"), 0).get_if<Tensor>()->data.size == kLargeRow);
}

TEST_CASE("storage: TensorDicts and ragged columns are compacted too") {
  StorageUnit unit({});
  Frame frame = make_frame(4 * kLargeRow);
  const std::string bytes(frame.slice.view());
  put_frames(unit, {0, 1, 2, 3},
             {{"td", Map{{"__tq_tensordict__", true},
                         {"batch_size", Array{4}},
                         {"data", Map{{"a", bytes_tensor({4, kLargeRow}, frame.slice)}}}}},
              {"r", Array{counting({1}), counting({2}, 10), counting({3}, 20), counting({9})}}});
  frame.slice = {};
  clear(unit, {0, 3, 1});
  CHECK(frame.alive.expired());
  CHECK(unit.store().bytes_held() == kLargeRow + 24);
  const Answer answer = get(unit, {"td", "r"}, {2});
  CHECK(answer.frames[1].view() == bytes.substr(2 * kLargeRow, kLargeRow));
  CHECK(is_tensor(row_of(answer.column("r"), 0), counting({3}, 20)));
}

TEST_CASE("storage: of equal indexes in one put the last wins, and the others hold no memory") {
  StorageUnit unit({});
  Frame frame = make_frame(3 * kLargeRow);
  const std::string bytes(frame.slice.view());
  put_frames(unit, {7, 7, 7}, {{"x", bytes_tensor({3, kLargeRow}, frame.slice)}});
  frame.slice = {};
  CHECK(unit.store().active_keys() == 1);
  CHECK(unit.store().bytes_stored() == kLargeRow);
  CHECK(frame.alive.expired());
  CHECK(get(unit, {"x"}, {7}).frames[1].view() == bytes.substr(2 * kLargeRow));
}

TEST_CASE("storage: a reply on its way keeps the memory that a clear lets go") {
  StorageUnit unit({});
  Frame frame = make_frame(2 * kLargeRow);
  put_frames(unit, {1, 2}, {{"x", bytes_tensor({2, kLargeRow}, frame.slice)}});
  frame.slice = {};
  {
    const Answer answer = get(unit, {"x"}, {1});
    clear(unit, {1, 2});
    CHECK_FALSE(frame.alive.expired());
    CHECK(answer.frames[1].size == kLargeRow);
  }
  CHECK(frame.alive.expired());
}

TEST_CASE("storage: everything goes when everything is cleared, twice and unknown indexes too") {
  StorageUnit unit({});
  put_frames(unit, {1, 2}, {{"x", counting({2, 3})}, {"v", Array{"a", "b"}}});
  put_frames(unit, {5}, {{"x", counting({1})}});
  CHECK(unit.store().active_keys() == 3);
  CHECK(clear(unit, {1, 1, 2, 5, 99}).type() == "CLEAR_DATA_RESPONSE");
  CHECK(clear(unit, {1, 2}).type() == "CLEAR_DATA_RESPONSE");
  CHECK(unit.store().active_keys() == 0);
  CHECK(unit.store().bytes_stored() == 0);
  CHECK(unit.store().bytes_held() == 0);
}

}  // namespace
}  // namespace tq::test
