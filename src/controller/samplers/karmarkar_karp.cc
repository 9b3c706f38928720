// SPDX-License-Identifier: Apache-2.0
#include "controller/samplers/karmarkar_karp.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

namespace tq::controller {
namespace {

struct Part {
  double sum = 0;
  std::vector<std::pair<size_t, double>> items;  // position and weight, in order of addition

  void add(const Part& other) {
    for (const auto& item : other.items) {
      items.push_back(item);
      sum += item.second;
    }
  }
  bool operator<(const Part& other) const {
    if (sum != other.sum) return sum < other.sum;
    if (items.size() != other.items.size()) return items.size() < other.items.size();
    return items < other.items;
  }
  bool operator>(const Part& other) const { return other < *this; }
};

// A split of some of the items, parts descending.
struct Split {
  std::vector<Part> parts;

  double spread() const { return parts.front().sum - parts.back().sum; }
  // The largest with the smallest: that is what evens them out.
  void merge(const Split& other) {
    for (size_t i = 0; i < parts.size(); ++i) parts[i].add(other.parts[parts.size() - 1 - i]);
    std::sort(parts.begin(), parts.end(), std::greater<>());
  }
};

// Whether b comes out of the heap before a: the larger spread first, then the larger first part.
bool comes_later(const Split& a, const Split& b) {
  if (a.spread() != b.spread()) return a.spread() < b.spread();
  return a.parts.front() < b.parts.front();
}

Split take_next(std::vector<Split>& heap) {
  std::pop_heap(heap.begin(), heap.end(), comes_later);
  Split next = std::move(heap.back());
  heap.pop_back();
  return next;
}

}  // namespace

std::vector<std::vector<size_t>> balanced_parts(std::span<const double> weights, size_t parts,
                                                PartSizes sizes) {
  std::vector<size_t> order(weights.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return weights[a] < weights[b]; });
  std::vector<Split> heap;
  const size_t together = sizes == PartSizes::kEqual ? parts : 1;  // items in a first split
  for (size_t begin = 0; begin < order.size(); begin += together) {
    Split split;
    for (size_t i = 0; i < together; ++i) {
      const size_t item = order[begin + i];
      split.parts.push_back({weights[item], {{item, weights[item]}}});
    }
    split.parts.resize(parts);
    std::sort(split.parts.begin(), split.parts.end(), std::greater<>());
    heap.push_back(std::move(split));
    std::push_heap(heap.begin(), heap.end(), comes_later);
  }
  while (heap.size() > 1) {
    Split largest = take_next(heap);
    largest.merge(take_next(heap));
    heap.push_back(std::move(largest));
    std::push_heap(heap.begin(), heap.end(), comes_later);
  }
  std::vector<std::vector<size_t>> result;
  for (const Part& part : heap.front().parts) {
    std::vector<size_t>& positions = result.emplace_back();
    for (const auto& [position, weight] : part.items) positions.push_back(position);
    std::sort(positions.begin(), positions.end());
  }
  return result;
}

}  // namespace tq::controller
