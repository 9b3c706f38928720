// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "wire/value.h"

namespace tq::wire {

/// Writes a protocol 5 pickle opcode by opcode, without FRAME and MEMOIZE, as all releases of
/// Python TransferQueue load it. Appends to one buffer; the caller keeps the stack discipline.
class PickleWriter {
 public:
  PickleWriter();

  void none() { op('N'); }
  void boolean(bool v) { op(v ? '\x88' : '\x89'); }
  void integer(int64_t v);
  void big_integer(std::string_view little_endian);
  void real(double v);
  void text(std::string_view v);
  /// A text that memoized() repeats; at most one a pickle.
  void memoized_text(std::string_view v);
  void memoized();
  void bytes(std::string_view v);
  void byte_array(std::string_view v);
  void global(std::string_view module, std::string_view name);

  void mark() { op('('); }
  void empty_list() { op(']'); }
  void appends() { op('e'); }
  void empty_dict() { op('}'); }
  void set_items() { op('u'); }
  void empty_tuple() { op(')'); }
  void tuple() { op('t'); }
  void reduce() { op('R'); }
  void new_object() { op('\x81'); }
  void build() { op('b'); }

  void shape_list(const Shape& shape);
  void shape_tuple(const Shape& shape);
  /// Any value. Plain data is written as it is; what has frames or an opaque payload anywhere in it
  /// is written as a call of the Python package's own decode() on its message frames.
  void value(const Value& v);

  /// The pickle, ended by STOP.
  std::string finish() &&;

 private:
  void op(char code) { out_.push_back(code); }
  void little_endian(uint64_t v, int bytes);
  void plain(const Value& v);
  void decode_call(const Value& v);
  void object(const PyObject& v);
  void set(const Set& v);
  void items(const Array& values);
  void plain_items(const Array& values);
  void plain_key(const Value& key);
  void plain_map(const Map& map);

  std::string out_;
};

}  // namespace tq::wire
