// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "transfer_queue/dtype.h"
#include "transfer_queue/slice.h"

namespace tq {

class Value;

/// The dimensions of a tensor or of one row; empty for a scalar.
using Shape = std::vector<int64_t>;
/// A list.
using Array = std::vector<Value>;
/// A dict in the order of the wire. Keys are any value; lookups by name are linear (dicts are
/// small).
using Map = std::vector<std::pair<Value, Value>>;

/// A dense row-major tensor (ext 3). Invariant: data.size == product(shape) * dtype_size(dtype).
struct Tensor {
  DType dtype;  ///< of its elements
  Shape shape;  ///< all dimensions
  Slice data;   ///< the elements, row-major, in the byte order of the host (little-endian)
};

/// A nested tensor (ext 4): rows of their own shapes.
struct NestedTensor {
  bool jagged;                  ///< torch.jagged, else torch.strided
  std::vector<Tensor> tensors;  ///< one a row
};

/// A numpy array (ext 5). The dtype string is numpy's and is not interpreted.
struct NdArray {
  std::string dtype;  ///< e.g. "<f4", "<U2"
  Shape shape;        ///< all dimensions
  Slice data;         ///< the elements, row-major
};

/// A payload that this side need not understand: ext 1 (a pickled object) or ext 2 (a callable).
/// It is kept as bytes and returned as bytes.
struct Opaque {
  int8_t ext_type;  ///< 1 or 2
  Slice payload;    ///< the pickle
};

/// Python's bytes; a std::string in a Value is a str.
struct Bytes {
  std::string bytes;  ///< as they are
};

/// A tuple; only pickles tell tuples from lists. msgpack writes it as an array.
struct Tuple {
  Array items;  ///< in order
};

/// A set or frozenset out of a pickle.
struct Set {
  Array items;          ///< in the order of the pickle
  bool frozen = false;  ///< a frozenset
};

/// An integer outside msgpack's range, in two's complement, little-endian: LONG1's own form.
struct BigInt {
  std::string bytes;  ///< two's complement, little-endian
};

/// A str with lone surrogates, which msgpack cannot hold, in Python's "surrogatepass" UTF-8.
struct SurrogateStr {
  std::string bytes;  ///< UTF-8 but for the surrogates
};

/// What a pickle says about an object, uncalled and unbuilt: inert by construction.
///   kGlobal: `module name`;  kCall: `module name` applied to args;  kObject: an instance, its
///   state. The last two may be given content after they are made, as a list or a dict is.
struct PyObject {
  /// What stands for the object, see above.
  enum class Kind : uint8_t { kGlobal, kCall, kObject };
  Kind kind;           ///< which of the three
  std::string module;  ///< of the name
  std::string name;    ///< of the class or function
  Array args;          ///< of the call
  Array state;         ///< empty, or the one value that BUILD gave
  Array items;         ///< appended to a call's or object's result, as to a list
  std::vector<std::pair<Value, Value>> entries;  ///< set in it, as in a dict

  /// Whether it goes by this name.
  bool is(std::string_view wanted_module, std::string_view wanted_name) const {
    return module == wanted_module && name == wanted_name;
  }
};

/// One decoded value. Copies are shallow for everything that has bytes of its own in a frame.
/// Immutable use is thread-safe.
class Value {
 public:
  /// All that it may hold; std::monostate is None.
  using Variant =
      std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string,
                   std::shared_ptr<const Bytes>, Array, Map, std::shared_ptr<const Tensor>,
                   std::shared_ptr<const NestedTensor>, std::shared_ptr<const NdArray>,
                   std::shared_ptr<const Opaque>, std::shared_ptr<const Tuple>,
                   std::shared_ptr<const Set>, std::shared_ptr<const BigInt>,
                   std::shared_ptr<const SurrogateStr>, std::shared_ptr<const PyObject>>;

  Value() = default;
  // NOLINTBEGIN(google-explicit-constructor): a Value stands where its content stands
  ///@{
  /// The value of its content; text is a str.
  Value(bool v) : variant_(v) {}
  Value(int v) : variant_(int64_t{v}) {}
  Value(int64_t v) : variant_(v) {}
  // Stored as int64 where it fits, so that equal numbers are equal Values.
  Value(uint64_t v) {
    if (v <= static_cast<uint64_t>(INT64_MAX)) {
      variant_ = static_cast<int64_t>(v);
    } else {
      variant_ = v;
    }
  }
  Value(double v) : variant_(v) {}
  Value(std::string v) : variant_(std::move(v)) {}
  Value(std::string_view v) : variant_(std::string(v)) {}
  Value(const char* v) : variant_(std::string(v)) {}
  Value(Array v) : variant_(std::move(v)) {}
  Value(Map v) : variant_(std::move(v)) {}
  Value(Bytes v) : variant_(std::make_shared<Bytes>(std::move(v))) {}
  Value(Tensor v) : variant_(std::make_shared<Tensor>(std::move(v))) {}
  Value(NestedTensor v) : variant_(std::make_shared<NestedTensor>(std::move(v))) {}
  Value(NdArray v) : variant_(std::make_shared<NdArray>(std::move(v))) {}
  Value(Opaque v) : variant_(std::make_shared<Opaque>(std::move(v))) {}
  Value(Tuple v) : variant_(std::make_shared<Tuple>(std::move(v))) {}
  Value(Set v) : variant_(std::make_shared<Set>(std::move(v))) {}
  Value(BigInt v) : variant_(std::make_shared<BigInt>(std::move(v))) {}
  Value(SurrogateStr v) : variant_(std::make_shared<SurrogateStr>(std::move(v))) {}
  Value(PyObject v) : variant_(std::make_shared<PyObject>(std::move(v))) {}
  ///@}
  // NOLINTEND(google-explicit-constructor)

  ///@{
  /// The content itself, for std::visit.
  const Variant& variant() const noexcept { return variant_; }
  Variant& variant() noexcept { return variant_; }
  ///@}

  /// Whether it is None.
  bool is_nil() const noexcept { return variant_.index() == 0; }
  /// The content if it is of that type, else nullptr; T is one of the types of the constructors.
  template <class T>
  const T* get_if() const noexcept {
    if constexpr (kShared<T>) {
      const auto* pointer = std::get_if<std::shared_ptr<const T>>(&variant_);
      return pointer != nullptr ? pointer->get() : nullptr;
    } else {
      return std::get_if<T>(&variant_);
    }
  }
  /// The same to be changed; for types that are not shared (numbers, text, Array, Map).
  template <class T>
  T* get_mutable_if() noexcept {
    return std::get_if<T>(&variant_);
  }
  /// Gives the content away: moved when no other Value shares it, else copied. Requires a value of
  /// that type; not while another thread may copy this Value.
  template <class T>
  T take() {
    if constexpr (kShared<T>) {
      const auto pointer = std::move(std::get<std::shared_ptr<const T>>(variant_));
      if (pointer.use_count() > 1) return *pointer;
      return std::move(const_cast<T&>(*pointer));  // was made non-const, above
    } else {
      return std::move(std::get<T>(variant_));
    }
  }
  /// The entry of a map by name, or nullptr (also when this is no map).
  const Value* find(std::string_view key) const noexcept;
  /// The same to be changed.
  Value* find(std::string_view key) noexcept {
    return const_cast<Value*>(static_cast<const Value*>(this)->find(key));
  }

  /// "int", "str", "tensor" ...: what an error message calls this value.
  std::string_view kind_name() const noexcept;

 private:
  template <class T>
  static constexpr bool kShared =
      std::is_same_v<T, Bytes> || std::is_same_v<T, Tensor> || std::is_same_v<T, NestedTensor> ||
      std::is_same_v<T, NdArray> || std::is_same_v<T, Opaque> || std::is_same_v<T, Tuple> ||
      std::is_same_v<T, Set> || std::is_same_v<T, BigInt> || std::is_same_v<T, SurrogateStr> ||
      std::is_same_v<T, PyObject>;

  Variant variant_;
};

/// Elements of a shape; 1 for a 0-d tensor. Requires a shape that was checked on decoding.
int64_t element_count(const Shape& shape) noexcept;

/// Payload bytes that a value refers to (tensors, arrays, opaque payloads, bytes and text).
size_t payload_bytes(const Value& value);

}  // namespace tq
