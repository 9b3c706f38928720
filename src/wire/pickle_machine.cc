// SPDX-License-Identifier: Apache-2.0
// The machine's input and its stack; pickle_steps.cc has the opcodes, pickle_result.cc the result.
#include "wire/pickle_machine.h"

#include <fmt/format.h>

#include <bit>

#include "transfer_queue/error.h"

namespace tq::wire {

void PickleMachine::fail(const std::string& message) {
  throw Error(ErrorCode::kDecode, "pickle: " + message);
}

Value PickleMachine::run() {
  while (step(static_cast<uint8_t>(read(1)[0]))) {
  }
  return unfold(pop(), 0);
}

// ---- input ----

std::string_view PickleMachine::read(size_t count) {
  if (count > input_.size() - position_) {
    fail(fmt::format("ends after {} bytes, in the middle of a value", input_.size()));
  }
  const std::string_view bytes = input_.substr(position_, count);
  position_ += count;
  return bytes;
}

std::string_view PickleMachine::read_line() {
  const size_t end = input_.find('\n', position_);
  if (end == std::string_view::npos) fail("ends in the middle of a line");
  const std::string_view line = input_.substr(position_, end - position_);
  position_ = end + 1;
  return line;
}

uint64_t PickleMachine::read_unsigned(int bytes) {
  uint64_t v = 0;
  const std::string_view raw = read(static_cast<size_t>(bytes));
  for (int i = bytes - 1; i >= 0; --i)
    v = v << 8 | static_cast<uint8_t>(raw[static_cast<size_t>(i)]);
  return v;
}

size_t PickleMachine::read_length(int bytes) {
  const uint64_t length = read_unsigned(bytes);
  if (length > input_.size() - position_) {
    fail(fmt::format("announces {} bytes where {} are left", length, input_.size() - position_));
  }
  return length;
}

double PickleMachine::read_double() {  // big-endian, unlike everything else
  uint64_t bits = 0;
  for (char c : read(8)) bits = bits << 8 | static_cast<uint8_t>(c);
  return std::bit_cast<double>(bits);
}

// ---- the stack ----

PickleMachine::NodeId PickleMachine::add(Node node) {
  if (nodes_.size() >= limits_.nodes_max) {
    fail(fmt::format("has more than {} values", limits_.nodes_max));
  }
  nodes_.push_back(node);
  return static_cast<NodeId>(nodes_.size() - 1);
}

uint32_t PickleMachine::add_leaf(Value leaf) {
  leaves_.push_back(std::move(leaf));
  return static_cast<uint32_t>(leaves_.size() - 1);
}

const Value& PickleMachine::leaf(NodeId id) const {
  static const Value kNone;
  return nodes_[id].leaf != kUnset ? leaves_[nodes_[id].leaf] : kNone;
}

const PickleMachine::NodeIds& PickleMachine::children(const Node& node) const {
  static const NodeIds kNone;
  return node.children != kUnset ? children_[node.children] : kNone;
}

PickleMachine::NodeIds& PickleMachine::mutable_children(Node& node) {
  if (node.children == kUnset) {
    children_.emplace_back();
    node.children = static_cast<uint32_t>(children_.size() - 1);
  }
  return children_[node.children];
}

void PickleMachine::push(Kind kind, NodeIds children) {
  Node node{kind, kUnset, kUnset};
  if (!children.empty()) mutable_children(node) = std::move(children);
  push(node);
}

// One more reference to a node; a byte of input each, so bounded like the nodes themselves.
void PickleMachine::push_again(NodeId id) {
  if (stack_.size() >= limits_.nodes_max) {
    fail(fmt::format("has more than {} values", limits_.nodes_max));
  }
  stack_.push_back(id);
}

void PickleMachine::push_mark() {
  if (marks_.size() >= limits_.nodes_max) {
    fail(fmt::format("has more than {} open marks", limits_.nodes_max));
  }
  marks_.push_back(stack_.size());
}

PickleMachine::NodeId PickleMachine::top() const {
  const size_t floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() <= floor) fail("takes a value from an empty stack");
  return stack_.back();
}

PickleMachine::NodeId PickleMachine::pop() {
  const NodeId id = top();
  stack_.pop_back();
  return id;
}

PickleMachine::NodeIds PickleMachine::pop_to_mark() {
  if (marks_.empty()) fail("uses a mark that was not set");
  NodeIds ids(stack_.begin() + static_cast<ptrdiff_t>(marks_.back()), stack_.end());
  stack_.resize(marks_.back());
  marks_.pop_back();
  return ids;
}

PickleMachine::NodeIds PickleMachine::pop_count(size_t count) {
  NodeIds ids(count);
  for (size_t i = count; i-- > 0;) ids[i] = pop();
  return ids;
}

void PickleMachine::set_part(NodeId object, Part part, NodeId id) {
  NodeIds& parts = mutable_children(nodes_[object]);
  if (parts.size() <= part) parts.resize(part + 1, kUnset);
  parts[part] = id;
}

std::optional<PickleMachine::NodeId> PickleMachine::part(const Node& object, Part part) const {
  const NodeIds& parts = children(object);
  if (parts.size() <= part || parts[part] == kUnset) return std::nullopt;
  return parts[part];
}

// The list or dict of what an object is given after it is made.
PickleMachine::NodeId PickleMachine::content_of(NodeId object, Kind kind) {
  const Part place = kind == Kind::kList ? kItems : kEntries;
  if (const std::optional<NodeId> known = part(nodes_[object], place)) return *known;
  const NodeId id = add({kind, kUnset, kUnset});
  set_part(object, place, id);
  return id;
}

void PickleMachine::extend_top(Kind kind, NodeIds more, const char* opcode) {
  NodeId id = top();
  const bool is_object = nodes_[id].kind == Kind::kCall || nodes_[id].kind == Kind::kObject;
  // Of the classes that must be understood none is made in this way.
  if (is_object && kind != Kind::kSet && unknown_names_ == UnknownNames::kKeep) {
    id = content_of(id, kind);
  }
  Node& node = nodes_[id];
  if (node.kind != kind) fail(fmt::format("{} on something that is no such container", opcode));
  if (kind == Kind::kDict && more.size() % 2 != 0) fail("a dict has a key without a value");
  NodeIds& items = mutable_children(node);
  if (items.size() + more.size() > limits_.nodes_max) {
    fail(fmt::format("has more than {} values", limits_.nodes_max));
  }
  items.insert(items.end(), more.begin(), more.end());
}

}  // namespace tq::wire
