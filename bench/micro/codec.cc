// SPDX-License-Identifier: Apache-2.0
// What the codec costs, message by message. Rows are small, so that it is the codec that is
// measured and not memory.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "wire/decode.h"
#include "wire/messages.h"
#include "wire/pack.h"
#include "wire/unpack.h"

namespace tq::bench {
namespace {

wire::Tensor row(size_t bytes) {
  auto [data, to] = Slice::allocate(bytes);
  std::fill_n(to, bytes, std::byte{1});
  return {DType::uint8, {static_cast<int64_t>(bytes)}, std::move(data)};
}

std::vector<int64_t> indexes(int64_t count) {
  std::vector<int64_t> result(static_cast<size_t>(count));
  for (size_t i = 0; i < result.size(); ++i) result[i] = static_cast<int64_t>(i);
  return result;
}

// A PUT of one field, a frame a row.
Frames put_message(int64_t rows) {
  Array column;
  for (int64_t i = 0; i < rows; ++i) column.emplace_back(row(64));
  return wire::pack_request("TQ_STORAGE_bench", "unit",
                            wire::PutData{indexes(rows), Map{{"x", std::move(column)}}, {}});
}

void encode_put(benchmark::State& state) {
  Array column(static_cast<size_t>(state.range(0)), Value(row(64)));
  const wire::PutData put{indexes(state.range(0)), Map{{"x", std::move(column)}}, {}};
  for (auto _ : state) {
    benchmark::DoNotOptimize(wire::pack_request("TQ_STORAGE_bench", "unit", put));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(encode_put)->Arg(1)->Arg(1024);

void decode_put(benchmark::State& state) {
  const Frames frames = put_message(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(wire::decode(frames, wire::Limits{}));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(decode_put)->Arg(1)->Arg(1024);

// The metadata of a look-up: pickled, for Python's sake.
Frames meta_message(int64_t samples) {
  BatchMeta meta;
  meta.global_indexes = indexes(samples);
  meta.partition_ids.assign(static_cast<size_t>(samples), "train");
  FieldSchema schema;
  schema.dtype = Value(PyObject{PyObject::Kind::kGlobal, "torch", "float32", {}, {}, {}, {}});
  schema.shape = Shape{16};
  for (const char* name : {"a", "b", "c", "d"}) meta.field_schema.emplace_back(name, schema);
  meta.production_status.assign(static_cast<size_t>(samples), 1);
  meta.custom_meta.resize(static_cast<size_t>(samples));
  meta.custom_backend_meta.resize(static_cast<size_t>(samples));
  return wire::pack_request("controller", "client", wire::KvRetrieveMetaResponse{meta});
}

void decode_meta(benchmark::State& state) {
  const Frames frames = meta_message(state.range(0));
  for (auto _ : state) {
    Result<wire::Envelope> envelope = wire::decode(frames, wire::Limits{});
    benchmark::DoNotOptimize(
        wire::unpack_body<wire::KvRetrieveMetaResponse>(envelope->body, wire::Limits{}));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(decode_meta)->Arg(1)->Arg(1024)->Arg(65536);

void encode_meta(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(meta_message(state.range(0)));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(encode_meta)->Arg(1)->Arg(1024)->Arg(65536);

}  // namespace
}  // namespace tq::bench
