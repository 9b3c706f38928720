// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "controller/index_map.h"
#include "controller/index_set.h"
#include "wire/limits.h"
#include "wire/value.h"

namespace tq::controller {

/// The shape of each row of a ragged column. Equal shapes are kept once, so a row costs four bytes,
/// and whether all rows are of one shape is known without a walk.
class SampleShapes {
 public:
  void set(int64_t index, const wire::Shape& shape);
  void erase(int64_t index);
  void clear();
  /// The shape, or nullptr where none is known. Valid until the next change.
  const wire::Shape* find(int64_t index) const;
  bool empty() const noexcept { return ids_.empty(); }
  /// Calls visit(const Shape&, rows) for each shape.
  template <class Visit>
  void for_each_shape(Visit&& visit) const {
    for (const auto& [shape, number] : known_) visit(shape, uses_[number].rows);
  }
  /// The shape that all known rows share, or nullptr.
  const wire::Shape* only_one() const;

  /// For checkpoints. from_value() throws Error for a value whose parts do not fit.
  wire::Value to_value() const;
  static SampleShapes from_value(wire::Value& map, const wire::Limits& limits);
  /// Whether all samples that have a shape are among these.
  bool is_of(const IndexSet& rows) const;

 private:
  struct Use {
    std::map<wire::Shape, uint32_t>::iterator shape;  // its value is the position in uses_
    size_t rows = 0;
  };

  uint32_t intern(const wire::Shape& shape);
  void release(uint32_t id);

  IndexMap ids_;
  std::map<wire::Shape, uint32_t> known_;
  std::vector<Use> uses_;
  std::vector<uint32_t> unused_;  // positions of uses_ to fill again
};

}  // namespace tq::controller
