// SPDX-License-Identifier: Apache-2.0
// What each opcode does to the machine.
#include <fmt/format.h>

#include <algorithm>

#include "wire/pickle_machine.h"
#include "wire/pickle_opcodes.h"
#include "wire/utf8.h"

namespace tq::wire {

bool PickleMachine::step(uint8_t opcode) {
  if (opcode == op::kStop) return false;
  if (!step_data(opcode) && !step_text(opcode) && !step_container(opcode) && !step_memo(opcode) &&
      !step_object(opcode)) {
    fail(fmt::format("opcode 0x{:02x} at offset {} is not one of plain data", opcode,
                     position_ - 1));
  }
  return true;
}

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

}  // namespace tq::wire
