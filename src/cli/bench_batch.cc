// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <random>

namespace tq::cli {
namespace {

constexpr BenchSize kSizes[] = {
    {"debug", 32, 128, 2},      {"tiny", 64, 1024, 4},      {"small", 512, 12800, 4},
    {"medium", 1024, 65536, 4}, {"large", 2048, 128000, 5}, {"xlarge", 4096, 128000, 5},
    {"huge", 4096, 128000, 10},
};

constexpr DType kTypes[] = {DType::float32, DType::int64, DType::float64, DType::int32,
                            DType::float16};

DType type_of(int64_t field) { return kTypes[static_cast<size_t>(field) % std::size(kTypes)]; }

template <class T>
void fill(std::byte* to, size_t count, T one) {
  for (size_t i = 0; i < count; ++i) std::memcpy(to + i * sizeof one, &one, sizeof one);
}

Tensor ones(DType dtype, Shape shape) {
  const auto count = static_cast<size_t>(element_count(shape));
  auto [data, to] = Slice::allocate(count * dtype_size(dtype));
  constexpr uint16_t kHalfOne = 0x3c00;
  switch (dtype) {
    case DType::float32:
      fill(to, count, 1.0F);
      break;
    case DType::float64:
      fill(to, count, 1.0);
      break;
    case DType::int64:
      fill(to, count, int64_t{1});
      break;
    case DType::int32:
      fill(to, count, int32_t{1});
      break;
    default:
      fill(to, count, kHalfOne);
  }
  return {dtype, std::move(shape), std::move(data)};
}

// Lengths that are spread as a flat Dirichlet distribution's, at least 1: most short, a few long.
std::vector<int64_t> ragged_lengths(const BenchSize& size, std::mt19937_64& random) {
  std::exponential_distribution<double> draw;
  std::vector<double> parts(static_cast<size_t>(size.batch));
  double sum = 0;
  for (double& part : parts) sum += part = draw(random);
  std::vector<int64_t> lengths;
  lengths.reserve(parts.size());
  for (const double part : parts) {
    const double values = part / sum * static_cast<double>(size.batch * size.sequence);
    lengths.push_back(std::max<int64_t>(1, static_cast<int64_t>(values)));
  }
  return lengths;
}

Column ragged(DType dtype, const std::vector<int64_t>& lengths) {
  JaggedTensor jagged;
  jagged.offsets.push_back(0);
  for (const int64_t length : lengths) {
    jagged.offsets.push_back(jagged.offsets.back() + length);
    jagged.shapes.push_back({length});
  }
  jagged.values = ones(dtype, {jagged.offsets.back()});
  return Column::jagged(std::move(jagged));
}

}  // namespace

std::span<const BenchSize> bench_sizes() { return kSizes; }

uint64_t bench_bytes(const BenchSize& size) {
  uint64_t bytes = 0;
  for (int64_t field = 0; field < size.fields; ++field) {
    bytes += static_cast<uint64_t>(size.batch * size.sequence) * dtype_size(type_of(field));
  }
  return bytes;
}

Batch bench_batch(const BenchSize& size, bool dense) {
  std::mt19937_64 random(0);
  Batch batch;
  for (int64_t field = 0; field < size.fields; ++field) {
    const bool is_dense = dense || field % 2 == 0;
    batch.set(fmt::format("field_{}", field),
              is_dense ? Column::dense(ones(type_of(field), {size.batch, size.sequence}))
                       : ragged(type_of(field), ragged_lengths(size, random)));
  }
  return batch;
}

}  // namespace tq::cli
