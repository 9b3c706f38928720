// SPDX-License-Identifier: Apache-2.0
#include "wire/pickle_writer.h"

#include <bit>

#include "wire/encode.h"
#include "wire/pickle_opcodes.h"

namespace tq::wire {
namespace {

constexpr std::string_view kTensorDictKey = "__tq_tensordict__";

// Whether a value is written as it is: no frames, no payload of a foreign format in it. A set and
// an object always are, for msgpack has no form of them; their items are looked at one by one.
bool is_plain(const Value& v);

bool all_plain(const Array& items) {
  for (const Value& item : items) {
    if (!is_plain(item)) return false;
  }
  return true;
}

struct IsPlain {
  template <class T>
  bool operator()(const T&) const {
    return true;
  }
  bool operator()(const Array& v) const { return all_plain(v); }
  bool operator()(const Map& v) const {
    for (const auto& [key, value] : v) {
      // The package's decoder makes a TensorDict of a map with this key; a plain dict would not be
      // one.
      const std::string* name = key.get_if<std::string>();
      if (name != nullptr && *name == kTensorDictKey) return false;
      if (!is_plain(key) || !is_plain(value)) return false;
    }
    return true;
  }
  bool operator()(const std::shared_ptr<const Tuple>& v) const { return all_plain(v->items); }
  bool operator()(const std::shared_ptr<const Tensor>&) const { return false; }
  bool operator()(const std::shared_ptr<const NestedTensor>&) const { return false; }
  bool operator()(const std::shared_ptr<const NdArray>&) const { return false; }
  bool operator()(const std::shared_ptr<const Opaque>&) const { return false; }
};

bool is_plain(const Value& v) { return std::visit(IsPlain{}, v.variant()); }

}  // namespace

PickleWriter::PickleWriter() {
  op(static_cast<char>(op::kProto));
  op('\x05');
}

void PickleWriter::little_endian(uint64_t v, int bytes) {
  for (int i = 0; i < bytes; ++i) out_.push_back(static_cast<char>(v >> (8 * i)));
}

void PickleWriter::integer(int64_t v) {
  if (v >= 0 && v < 256) {
    op(static_cast<char>(op::kBinInt1));
    little_endian(static_cast<uint64_t>(v), 1);
  } else if (v >= INT32_MIN && v <= INT32_MAX) {
    op(static_cast<char>(op::kBinInt));
    little_endian(static_cast<uint64_t>(v), 4);
  } else {
    op(static_cast<char>(op::kLong1));
    out_.push_back('\x08');
    little_endian(static_cast<uint64_t>(v), 8);
  }
}

void PickleWriter::big_integer(std::string_view little_endian_bytes) {
  if (little_endian_bytes.size() < 256) {
    op(static_cast<char>(op::kLong1));
    little_endian(little_endian_bytes.size(), 1);
  } else {
    op(static_cast<char>(op::kLong4));
    little_endian(little_endian_bytes.size(), 4);
  }
  out_.append(little_endian_bytes);
}

void PickleWriter::real(double v) {
  op(static_cast<char>(op::kBinFloat));
  const auto bits = std::bit_cast<uint64_t>(v);
  for (int i = 7; i >= 0; --i) out_.push_back(static_cast<char>(bits >> (8 * i)));
}

void PickleWriter::text(std::string_view v) {
  if (v.size() < 256) {
    op(static_cast<char>(op::kShortBinUnicode));
    little_endian(v.size(), 1);
  } else {
    op(static_cast<char>(op::kBinUnicode8));
    little_endian(v.size(), 8);
  }
  out_.append(v);
}

void PickleWriter::memoized_text(std::string_view v) {
  text(v);
  op(static_cast<char>(op::kMemoize));  // the first memoized object: number 0
}

void PickleWriter::memoized() {
  op(static_cast<char>(op::kBinGet));
  out_.push_back('\0');
}

void PickleWriter::bytes(std::string_view v) {
  op(static_cast<char>(op::kBinBytes8));
  little_endian(v.size(), 8);
  out_.append(v);
}

void PickleWriter::byte_array(std::string_view v) {
  op(static_cast<char>(op::kByteArray8));
  little_endian(v.size(), 8);
  out_.append(v);
}

void PickleWriter::global(std::string_view module, std::string_view name) {
  text(module);
  text(name);
  op(static_cast<char>(op::kStackGlobal));
}

void PickleWriter::shape_list(const Shape& shape) {
  empty_list();
  mark();
  for (int64_t dimension : shape) integer(dimension);
  appends();
}

void PickleWriter::shape_tuple(const Shape& shape) {
  mark();
  for (int64_t dimension : shape) integer(dimension);
  tuple();
}

void PickleWriter::value(const Value& v) {
  if (is_plain(v)) {
    plain(v);
  } else {
    decode_call(v);
  }
}

// transfer_queue.utils.serial_utils.decode([bytearray(header), bytearray(buffer), ...]);
// bytearrays, for torch warns about read-only buffers.
void PickleWriter::decode_call(const Value& v) {
  global("transfer_queue.utils.serial_utils", "decode");
  mark();
  empty_list();
  mark();
  for (const Slice& frame : encode_value(v)) byte_array(frame.view());
  appends();
  tuple();
  reduce();
}

void PickleWriter::items(const Array& values) {
  mark();
  for (const Value& item : values) value(item);
}

void PickleWriter::object(const PyObject& v) {
  global(v.module, v.name);
  if (v.kind == PyObject::Kind::kGlobal) return;
  items(v.args);
  tuple();
  v.kind == PyObject::Kind::kCall ? reduce() : new_object();
  if (!v.items.empty()) {
    items(v.items);
    appends();
  }
  if (!v.entries.empty()) {
    mark();
    for (const auto& [key, entry] : v.entries) {
      value(key);
      value(entry);
    }
    set_items();
  }
  if (!v.state.empty()) {
    value(v.state[0]);
    build();
  }
}

void PickleWriter::set(const Set& v) {
  if (!v.frozen) op(static_cast<char>(op::kEmptySet));
  items(v.items);
  op(static_cast<char>(v.frozen ? op::kFrozenSet : op::kAddItems));
}

// What is inside a plain value is plain: looking again at each level would take a time quadratic in
// the depth.
void PickleWriter::plain_items(const Array& values) {
  mark();
  for (const Value& item : values) plain(item);
}

// A list as key came as a tuple, which msgpack does not know: Python cannot hash a list.
void PickleWriter::plain_key(const Value& key) {
  const Array* items = key.get_if<Array>();
  if (items == nullptr) return plain(key);
  mark();
  for (const Value& item : *items) plain_key(item);
  tuple();
}

void PickleWriter::plain_map(const Map& map) {
  empty_dict();
  mark();
  for (const auto& [key, entry] : map) {
    plain_key(key);
    plain(entry);
  }
  set_items();
}

void PickleWriter::plain(const Value& v) {
  if (v.is_nil()) return none();
  if (const auto* b = v.get_if<bool>()) return boolean(*b);
  if (const auto* i = v.get_if<int64_t>()) return integer(*i);
  if (const auto* u = v.get_if<uint64_t>()) {
    std::string raw;  // nine bytes: the sign bit of LONG1 must stay clear
    for (int i = 0; i < 8; ++i) raw.push_back(static_cast<char>(*u >> (8 * i)));
    return big_integer(raw + '\0');
  }
  if (const auto* d = v.get_if<double>()) return real(*d);
  if (const auto* s = v.get_if<std::string>()) return text(*s);
  if (const auto* s = v.get_if<SurrogateStr>()) return text(s->bytes);
  if (const auto* b = v.get_if<Bytes>()) return bytes(b->bytes);
  if (const auto* n = v.get_if<BigInt>()) return big_integer(n->bytes);
  if (const auto* o = v.get_if<PyObject>()) return object(*o);
  if (const auto* s = v.get_if<Set>()) return set(*s);
  if (const auto* t = v.get_if<Tuple>()) return plain_items(t->items), tuple();
  if (const auto* array = v.get_if<Array>()) {
    empty_list();
    plain_items(*array);
    return appends();
  }
  plain_map(*v.get_if<Map>());
}

std::string PickleWriter::finish() && {
  op(static_cast<char>(op::kStop));
  return std::move(out_);
}

}  // namespace tq::wire
