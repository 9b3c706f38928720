// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <msgpack.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "transfer_queue/error.h"
#include "wire/limits.h"
#include "wire/node_budget.h"
#include "wire/value.h"

namespace tq::wire {

/// Builds a Value from msgpack events. msgpack-c's own object tree allocates what a peer declares;
/// here all declared lengths together must fit the header before anything is reserved, and nesting
/// and the number of values are bounded. Tensors become slices of `frames`.
class HeaderVisitor : public msgpack::null_visitor {
 public:
  HeaderVisitor(std::span<const Slice> frames, const Limits& limits);

  /// The decoded value; call after a parse that returned true.
  Value take() { return std::move(root_); }
  /// Why the visitor stopped the parse, or why msgpack did.
  Error error() const;

  // The events; false ends the parse.
  bool visit_nil() { return add(Value()); }
  bool visit_boolean(bool v) { return add(Value(v)); }
  bool visit_positive_integer(uint64_t v) { return add(Value(v)); }
  bool visit_negative_integer(int64_t v) { return add(Value(v)); }
  bool visit_float32(float v) { return add(Value(static_cast<double>(v))); }
  bool visit_float64(double v) { return add(Value(v)); }
  bool visit_str(const char* v, uint32_t size);
  bool visit_bin(const char* v, uint32_t size);
  bool visit_ext(const char* v, uint32_t size);
  bool start_array(uint32_t count);
  bool end_array() { return close(); }
  bool start_map(uint32_t count);
  bool end_map() { return close(); }
  void parse_error(size_t parsed, size_t error_offset);
  void insufficient_bytes(size_t parsed, size_t error_offset);

 private:
  struct Level {
    Value* container;
    bool key_pending;  // of a map: a key was read, its value was not
    bool inside_key;   // this container is a map's key, or part of one
  };

  bool add(Value v);
  bool at_key() const;
  bool open(Value container, uint32_t count, size_t bytes_each);
  bool close();
  bool fail(std::string message);
  std::string place_text() const;
  Value* place(Value v);

  std::span<const Slice> frames_;
  const Limits& limits_;
  Value root_;
  std::vector<Level> levels_;
  NodeBudget budget_;
  size_t announced_ = 0;  // items of all containers
  std::optional<std::string> failure_;
};

}  // namespace tq::wire
