// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/limits.h"
#include "wire/node_budget.h"
#include "wire/pickle_reader.h"
#include "wire/value.h"

namespace tq::wire {

/// The stack machine behind read_pickle. Objects are nodes in one arena that refer to each other by
/// number, because a pickle fills a list after it was memoized; at the end the tree under the
/// result is unfolded into a Value, where cycles and growth meet the limits. Running takes time and
/// memory linear in the input, unfolding in what the budget allows.
class PickleMachine {
 public:
  PickleMachine(std::string_view input, const Limits& limits, NodeBudget& budget,
                UnknownNames unknown_names)
      : input_(input), limits_(limits), budget_(budget), unknown_names_(unknown_names) {}

  /// Runs to STOP. Throws Error(kDecode).
  Value run();
  /// Bytes read, after run().
  size_t consumed() const noexcept { return position_; }

 private:
  using NodeId = uint32_t;
  static constexpr uint32_t kUnset = UINT32_MAX;
  enum class Kind : uint8_t { kLeaf, kList, kTuple, kDict, kSet, kFrozenSet, kCall, kObject };
  using NodeIds = std::vector<NodeId>;
  /// A pickle of a million samples is millions of these, most of them numbers or empty dicts.
  struct Node {
    Kind kind;
    uint32_t leaf;      // number in leaves_: of a kLeaf; of a call or object what is applied
    uint32_t children;  // number in children_, or kUnset while there are none
  };

  // The parts of a kCall or kObject: the tuple of arguments (not its items, which would be copied
  // for each call that shares it), and, where there are any, BUILD's state, and the list and the
  // dict of what was appended and set.
  enum Part : size_t { kArguments, kState, kItems, kEntries };

  [[noreturn]] static void fail(const std::string& message);

  bool step(uint8_t opcode);  // false at STOP
  bool step_data(uint8_t opcode);
  bool step_text(uint8_t opcode);
  bool step_container(uint8_t opcode);
  bool step_memo(uint8_t opcode);
  bool step_object(uint8_t opcode);

  std::string_view read(size_t count);
  std::string_view read_line();
  uint64_t read_unsigned(int bytes);
  size_t read_length(int bytes);
  double read_double();

  NodeId add(Node node);
  uint32_t add_leaf(Value leaf);
  void push(Node node) { stack_.push_back(add(node)); }
  void push(Kind kind) { push({kind, kUnset, kUnset}); }
  void push(Kind kind, NodeIds children);
  void push_leaf(Value leaf) { push({Kind::kLeaf, add_leaf(std::move(leaf)), kUnset}); }
  const Value& leaf(NodeId id) const;
  /// Items; for a dict key, value, key, value; for kCall and kObject its Parts.
  const NodeIds& children(const Node& node) const;
  NodeIds& mutable_children(Node& node);
  void push_again(NodeId id);
  void push_mark();
  NodeId pop();
  NodeId top() const;
  NodeIds pop_to_mark();
  NodeIds pop_count(size_t count);
  void extend_top(Kind kind, NodeIds children, const char* opcode);
  void set_part(NodeId object, Part part, NodeId id);
  std::optional<NodeId> part(const Node& object, Part part) const;
  NodeId content_of(NodeId object, Kind kind);
  void push_integer(std::string_view little_endian);
  void push_text(std::string_view text);
  void push_global(std::string_view module, std::string_view name);
  void apply(Kind kind);
  const std::string& text_of(NodeId id, const char* what) const;
  void memoize(uint64_t slot);
  void recall(uint64_t slot);

  Value unfold(NodeId id, size_t depth);
  Value unfold_key(NodeId id, size_t depth);
  Set unfold_set(const Node& node, size_t depth);
  Value unfold_applied(const Node& node, size_t depth);
  Map unfold_entries(const Node& node, size_t depth);
  Array unfold_all(const NodeIds& ids, size_t depth);

  std::string_view input_;
  const Limits& limits_;
  NodeBudget& budget_;
  const UnknownNames unknown_names_;
  size_t position_ = 0;
  std::deque<Node> nodes_;  // deques, for a vector would touch twice the memory
  std::deque<Value> leaves_;
  std::deque<NodeIds> children_;
  NodeIds stack_;
  std::vector<size_t> marks_;
  NodeIds memo_;          // by slot; kUnset where nothing was put
  size_t memo_size_ = 0;  // slots that are set
};

/// Whether a pickle may name this class, function or constant. The list is the protocol's own:
/// torch dtypes and storages, numpy arrays and scalars, BatchMeta. Naming calls nothing; the list
/// keeps surprises out and gives the refusal its sentence.
bool is_allowed_global(std::string_view module, std::string_view name) noexcept;

}  // namespace tq::wire
