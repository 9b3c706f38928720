// SPDX-License-Identifier: Apache-2.0
#include "wire/pickle_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "transfer_queue/error.h"
#include "wire/pickle_opcodes.h"
#include "wire/utf8.h"

namespace tq::wire {
namespace {

[[noreturn]] void fail(const std::string& message) {
  throw Error(ErrorCode::kDecode, "pickle: " + message);
}

bool is_hashable(const Value& v) {
  if (const Tuple* tuple = v.get_if<Tuple>()) {
    return std::all_of(tuple->items.begin(), tuple->items.end(), is_hashable);
  }
  const Set* set = v.get_if<Set>();
  return v.get_if<Array>() == nullptr && v.get_if<Map>() == nullptr &&
         (set == nullptr || set->frozen);
}

}  // namespace

Value PickleMachine::run() {
  while (step(static_cast<uint8_t>(read(1)[0]))) {
  }
  return unfold(pop(), 0);
}

bool PickleMachine::step(uint8_t opcode) {
  if (opcode == op::kStop) return false;
  if (!step_data(opcode) && !step_text(opcode) && !step_container(opcode) && !step_memo(opcode) &&
      !step_object(opcode)) {
    fail(fmt::format("opcode 0x{:02x} at offset {} is not one of plain data", opcode,
                     position_ - 1));
  }
  return true;
}

// ---- input
// ---------------------------------------------------------------------------------------

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

// ---- the stack
// -----------------------------------------------------------------------------------

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

// ---- opcodes
// -------------------------------------------------------------------------------------

void PickleMachine::push_integer(std::string_view little_endian) {
  if (little_endian.size() > sizeof(int64_t)) {
    push_leaf(Value(BigInt{std::string(little_endian)}));
    return;
  }
  uint64_t bits = 0;
  for (size_t i = 0; i < little_endian.size(); ++i) {
    bits |= uint64_t{static_cast<uint8_t>(little_endian[i])} << (8 * i);
  }
  if (!little_endian.empty() && (little_endian.back() & '\x80') != 0) {
    for (size_t i = little_endian.size(); i < sizeof bits; ++i) bits |= uint64_t{0xFF} << (8 * i);
  }
  push_leaf(Value(static_cast<int64_t>(bits)));
}

void PickleMachine::push_text(std::string_view text) {
  if (is_utf8(text)) return push_leaf(Value(text));
  if (!is_utf8_with_surrogates(text)) fail("a str is not valid UTF-8");
  push_leaf(Value(SurrogateStr{std::string(text)}));
}

bool PickleMachine::step_data(uint8_t opcode) {
  switch (opcode) {
    case op::kProto: {
      const uint64_t version = read_unsigned(1);
      if (version < 2 || version > 5)
        fail(fmt::format("has protocol {}; known are 2 to 5", version));
      return true;
    }
    case op::kFrame:
      return read_unsigned(8), true;  // a hint for readers of streams
    case op::kNone:
      return push_leaf(Value()), true;
    case op::kNewTrue:
      return push_leaf(Value(true)), true;
    case op::kNewFalse:
      return push_leaf(Value(false)), true;
    case op::kBinInt:
      return push_integer(read(4)), true;
    case op::kBinInt1:
      return push_leaf(Value(read_unsigned(1))), true;
    case op::kBinInt2:
      return push_leaf(Value(read_unsigned(2))), true;
    case op::kLong1:
      return push_integer(read(read_length(1))), true;
    case op::kLong4:
      return push_integer(read(read_length(4))), true;
    case op::kBinFloat:
      return push_leaf(Value(read_double())), true;
    default:
      return false;
  }
}

bool PickleMachine::step_text(uint8_t opcode) {
  const auto bytes = [this](int length_bytes) {
    push_leaf(Value(Bytes{std::string(read(read_length(length_bytes)))}));
    return true;
  };
  switch (opcode) {
    case op::kShortBinUnicode:
      return push_text(read(read_length(1))), true;
    case op::kBinUnicode:
      return push_text(read(read_length(4))), true;
    case op::kBinUnicode8:
      return push_text(read(read_length(8))), true;
    case op::kShortBinBytes:
      return bytes(1);
    case op::kBinBytes:
      return bytes(4);
    case op::kBinBytes8:
      return bytes(8);
    case op::kByteArray8:
      return bytes(8);
    default:
      return false;
  }
}

bool PickleMachine::step_container(uint8_t opcode) {
  switch (opcode) {
    case op::kMark:
      return push_mark(), true;
    case op::kPop:
      if (!marks_.empty() && marks_.back() == stack_.size()) {
        marks_.pop_back();
      } else {
        pop();
      }
      return true;
    case op::kPopMark:
      return pop_to_mark(), true;
    case op::kDup:
      return push_again(top()), true;
    case op::kEmptyList:
      return push(Kind::kList), true;
    case op::kEmptyTuple:
      return push(Kind::kTuple), true;
    case op::kEmptyDict:
      return push(Kind::kDict), true;
    case op::kEmptySet:
      return push(Kind::kSet), true;
    case op::kTuple:
      return push(Kind::kTuple, pop_to_mark()), true;
    case op::kTuple1:
      return push(Kind::kTuple, pop_count(1)), true;
    case op::kTuple2:
      return push(Kind::kTuple, pop_count(2)), true;
    case op::kTuple3:
      return push(Kind::kTuple, pop_count(3)), true;
    case op::kFrozenSet:
      return push(Kind::kFrozenSet, pop_to_mark()), true;
    case op::kAppend:
      return extend_top(Kind::kList, pop_count(1), "APPEND"), true;
    case op::kAppends:
      return extend_top(Kind::kList, pop_to_mark(), "APPENDS"), true;
    case op::kSetItem:
      return extend_top(Kind::kDict, pop_count(2), "SETITEM"), true;
    case op::kSetItems:
      return extend_top(Kind::kDict, pop_to_mark(), "SETITEMS"), true;
    case op::kAddItems:
      return extend_top(Kind::kSet, pop_to_mark(), "ADDITEMS"), true;
    default:
      return false;
  }
}

void PickleMachine::memoize(uint64_t slot) {
  const NodeId id = top();
  // Picklers number slots from 0 on, so a slot past the number of bytes is no honest one and would
  // only take memory.
  if (slot >= std::min(input_.size(), limits_.nodes_max)) {
    fail(fmt::format("sets memo {}, more than it has bytes", slot));
  }
  if (slot >= memo_.size()) memo_.resize(slot + 1, kUnset);
  if (memo_[slot] == kUnset) ++memo_size_;
  memo_[slot] = id;
}

void PickleMachine::recall(uint64_t slot) {
  if (slot >= memo_.size() || memo_[slot] == kUnset) {
    fail(fmt::format("uses memo {} before it was set", slot));
  }
  push_again(memo_[slot]);
}

bool PickleMachine::step_memo(uint8_t opcode) {
  switch (opcode) {
    case op::kMemoize:
      return memoize(memo_size_), true;
    case op::kBinPut:
      return memoize(read_unsigned(1)), true;
    case op::kLongBinPut:
      return memoize(read_unsigned(4)), true;
    case op::kBinGet:
      return recall(read_unsigned(1)), true;
    case op::kLongBinGet:
      return recall(read_unsigned(4)), true;
    default:
      return false;
  }
}

const std::string& PickleMachine::text_of(NodeId id, const char* what) const {
  const std::string* text = leaf(id).get_if<std::string>();
  if (text == nullptr) fail(fmt::format("{} is not a str", what));
  return *text;
}

void PickleMachine::push_global(std::string_view module, std::string_view name) {
  if (unknown_names_ == UnknownNames::kRefuse && !is_allowed_global(module, name)) {
    fail(fmt::format("names '{} {}', which is not on the list of names that are read",
                     printable(module), printable(name)));
  }
  push_leaf(Value(
      PyObject{PyObject::Kind::kGlobal, std::string(module), std::string(name), {}, {}, {}, {}}));
}

// REDUCE and NEWOBJ: note what would be applied to what.
void PickleMachine::apply(Kind kind) {
  const NodeId arguments = pop();
  const NodeId callable = pop();
  if (nodes_[arguments].kind != Kind::kTuple) fail("calls something with no tuple of arguments");
  const PyObject* global = leaf(callable).get_if<PyObject>();
  if (global == nullptr) fail("calls something that is no name");
  if (global->is("collections", "OrderedDict") && children(nodes_[arguments]).empty()) {
    return push(Kind::kDict);  // SETITEMS may follow
  }
  Node node{kind, nodes_[callable].leaf, kUnset};
  mutable_children(node) = {arguments};
  push(node);
}

bool PickleMachine::step_object(uint8_t opcode) {
  switch (opcode) {
    case op::kStackGlobal: {
      const std::string& name = text_of(pop(), "the name of a global");
      const std::string& module = text_of(pop(), "the module of a global");
      return push_global(module, name), true;
    }
    case op::kGlobal: {
      const std::string_view module = read_line();
      return push_global(module, read_line()), true;
    }
    case op::kReduce:
      return apply(Kind::kCall), true;
    case op::kNewObj:
      return apply(Kind::kObject), true;
    case op::kBuild: {
      const NodeId state = pop();
      const Kind kind = nodes_[top()].kind;
      if (kind != Kind::kCall && kind != Kind::kObject) fail("BUILD on plain data");
      return set_part(top(), kState, state), true;
    }
    case op::kBinPersId: {
      // torch's storages; the tuple that names one stands for it (wire/torch_pickle.h reads it).
      const NodeId id = pop();
      return stack_.push_back(id), true;
    }
    default:
      return false;
  }
}

// ---- the result
// ----------------------------------------------------------------------------------

Array PickleMachine::unfold_all(const NodeIds& ids, size_t depth) {
  budget_.take(ids.size());
  Array values;
  values.reserve(ids.size());
  for (NodeId id : ids) values.push_back(unfold(id, depth));
  return values;
}

// A dict's key or a set's item. CPython refuses to load what it cannot hash, so it must not be
// passed on to a client as if it were good.
Value PickleMachine::unfold_key(NodeId id, size_t depth) {
  Value key = unfold(id, depth);
  if (!is_hashable(key)) fail(fmt::format("has a {} as a key or in a set", key.kind_name()));
  return key;
}

Set PickleMachine::unfold_set(const Node& node, size_t depth) {
  const NodeIds& items = children(node);
  budget_.take(items.size());
  Set set{{}, node.kind == Kind::kFrozenSet};
  set.items.reserve(items.size());
  for (NodeId id : items) set.items.push_back(unfold_key(id, depth));
  return set;
}

Value PickleMachine::unfold(NodeId id, size_t depth) {
  if (depth > limits_.depth_max) {
    fail(fmt::format("is nested deeper than {} or refers to itself", limits_.depth_max));
  }
  const Node& node = nodes_[id];
  switch (node.kind) {
    case Kind::kLeaf:
      if (const auto* text = leaf(id).get_if<std::string>()) budget_.take_text(text->size());
      return leaf(id);
    case Kind::kList:
      return Value(unfold_all(children(node), depth + 1));
    case Kind::kTuple:
      return Value(Tuple{unfold_all(children(node), depth + 1)});
    case Kind::kSet:
    case Kind::kFrozenSet:
      return Value(unfold_set(node, depth + 1));
    case Kind::kDict:
      return Value(unfold_entries(node, depth + 1));
    case Kind::kCall:
    case Kind::kObject:
      break;
  }
  return unfold_applied(node, depth);
}

Map PickleMachine::unfold_entries(const Node& node, size_t depth) {
  const NodeIds& items = children(node);
  budget_.take(items.size());
  Map map;
  map.reserve(items.size() / 2);
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    Value key = unfold_key(items[i], depth);
    map.emplace_back(std::move(key), unfold(items[i + 1], depth));
  }
  return map;
}

Value PickleMachine::unfold_applied(const Node& node, size_t depth) {
  const PyObject& global = *leaves_[node.leaf].get_if<PyObject>();
  PyObject applied{node.kind == Kind::kCall ? PyObject::Kind::kCall : PyObject::Kind::kObject,
                   global.module,
                   global.name,
                   unfold_all(children(nodes_[children(node)[kArguments]]), depth + 1),
                   {},
                   {},
                   {}};
  if (const auto state = part(node, kState)) {
    budget_.take(1);
    applied.state.push_back(unfold(*state, depth + 1));
  }
  if (const auto items = part(node, kItems)) {
    applied.items = unfold_all(children(nodes_[*items]), depth + 1);
  }
  if (const auto entries = part(node, kEntries)) {
    applied.entries = unfold_entries(nodes_[*entries], depth + 1);
  }
  return Value(std::move(applied));
}

}  // namespace tq::wire
