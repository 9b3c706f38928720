// SPDX-License-Identifier: Apache-2.0
// The result of a pickle: the tree under one node, unfolded into a Value.
#include <fmt/format.h>

#include <algorithm>

#include "wire/pickle_machine.h"

namespace tq::wire {
namespace {

bool is_hashable(const Value& v) {
  if (const Tuple* tuple = v.get_if<Tuple>()) {
    return std::all_of(tuple->items.begin(), tuple->items.end(), is_hashable);
  }
  const Set* set = v.get_if<Set>();
  return v.get_if<Array>() == nullptr && v.get_if<Map>() == nullptr &&
         (set == nullptr || set->frozen);
}

}  // namespace

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
