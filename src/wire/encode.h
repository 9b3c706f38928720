// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "wire/value.h"

namespace tq::wire {

/// Writes one message: msgpack into the header, tensors as frames of their own whose index (the
/// header is 0) stands in the header. The caller announces each container's length, then its items;
/// a map's items are key, value, key, value. Payload bytes are never copied. Not thread-safe.
class Encoder {
 public:
  Encoder();
  ~Encoder();
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  void nil();
  void boolean(bool v);
  void integer(int64_t v);
  void unsigned_integer(uint64_t v);
  void real(double v);
  void str(std::string_view v);
  void bin(std::string_view v);
  void array(size_t count);
  void map(size_t count);

  /// ext 3. Requires data.size to match dtype and shape.
  void tensor(DType dtype, const Shape& shape, Slice data);
  /// The same of bytes that lie in pieces, at least one.
  void tensor(DType dtype, const Shape& shape, std::vector<Slice> pieces);
  /// ext 4.
  void nested(const NestedTensor& v);
  /// ext 5.
  void ndarray(const NdArray& v);
  void ndarray(std::string_view dtype, const Shape& shape, std::vector<Slice> pieces);
  /// ext 1 or 2, byte for byte.
  void opaque(int8_t ext_type, std::string_view payload);
  /// ext 1: a pickle that Python loads. For what msgpack has no form.
  void pickled(std::string_view pickle) { opaque(1, pickle); }

  /// Any value; what msgpack cannot hold goes out as ext 1.
  void value(const Value& v);

  /// The message: header first. The encoder is empty afterwards.
  OutMessage finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A value alone as frames, as Python's `serial_utils.encode` makes them.
Frames encode_value(const Value& v);

}  // namespace tq::wire
