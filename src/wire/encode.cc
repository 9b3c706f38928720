// SPDX-License-Identifier: Apache-2.0
#include "wire/encode.h"

#include <fmt/format.h>

#include <bit>
#include <cstdlib>
#include <msgpack.hpp>

#include "transfer_queue/error.h"
#include "wire/ext.h"
#include "wire/pickle_writer.h"

namespace tq::wire {
namespace {

// The pickle of `(dtype, shape, buffer index)`, as ext 3 and 5 hold it.
void write_meta(PickleWriter& pickle, std::string_view dtype, const Shape& shape, size_t index) {
  pickle.mark();
  pickle.text(dtype);
  pickle.shape_tuple(shape);
  pickle.integer(static_cast<int64_t>(index));
  pickle.tuple();
}

// msgpack's lengths have 32 bits; a longer one would wrap and garble all that follows.
uint32_t length_of(size_t length, const char* what) {
  if (length > UINT32_MAX) {
    throw Error(ErrorCode::kLimit,
                fmt::format("{} of {} items or bytes does not fit a message; the limit is {}", what,
                            length, UINT32_MAX));
  }
  return static_cast<uint32_t>(length);
}

// Writes each alternative of a Value in its msgpack form.
struct ValueWriter {
  Encoder& e;
  const Value& whole;

  void operator()(std::monostate) const { e.nil(); }
  void operator()(bool x) const { e.boolean(x); }
  void operator()(int64_t x) const { e.integer(x); }
  void operator()(uint64_t x) const { e.unsigned_integer(x); }
  void operator()(double x) const { e.real(x); }
  void operator()(const std::string& x) const { e.str(x); }
  void operator()(const std::shared_ptr<const Bytes>& x) const { e.bin(x->bytes); }
  void operator()(const Array& x) const { items(x); }
  void operator()(const std::shared_ptr<const Tuple>& x) const { items(x->items); }
  void operator()(const Map& x) const {
    e.map(x.size());
    for (const auto& [key, entry] : x) {
      e.value(key);
      e.value(entry);
    }
  }
  void operator()(const std::shared_ptr<const Tensor>& x) const {
    e.tensor(x->dtype, x->shape, x->data);
  }
  void operator()(const std::shared_ptr<const NestedTensor>& x) const { e.nested(*x); }
  void operator()(const std::shared_ptr<const NdArray>& x) const { e.ndarray(*x); }
  void operator()(const std::shared_ptr<const Opaque>& x) const {
    e.opaque(x->ext_type, x->payload.view());
  }
  // msgpack has no form for the rest: Python reads it from a pickle.
  template <class T>
  void operator()(const T&) const {
    PickleWriter writer;
    writer.value(whole);
    e.pickled(std::move(writer).finish());
  }
  void items(const Array& values) const {
    e.array(values.size());
    for (const Value& item : values) e.value(item);
  }
};

}  // namespace

struct Encoder::Impl {
  msgpack::sbuffer header;  // its memory goes into the message as it is
  msgpack::packer<msgpack::sbuffer> packer{header};
  OutMessage message{Frames{Slice{}}};  // the header's place

  template <class Data>
  size_t add(Data data) {
    message.add(std::move(data));
    return message.frames() - 1;
  }
  template <class Data>
  std::string tensor(DType dtype, const Shape& shape, Data data) {
    PickleWriter pickle;
    write_meta(pickle, dtype_name(dtype), shape, add(std::move(data)));
    return std::move(pickle).finish();
  }
};

Encoder::Encoder() : impl_(std::make_unique<Impl>()) {}
Encoder::~Encoder() = default;

void Encoder::nil() { impl_->packer.pack_nil(); }
void Encoder::boolean(bool v) { v ? impl_->packer.pack_true() : impl_->packer.pack_false(); }
void Encoder::integer(int64_t v) { impl_->packer.pack_int64(v); }
void Encoder::unsigned_integer(uint64_t v) { impl_->packer.pack_uint64(v); }

// Not pack_double, which writes 1.0 as the int 1: a float must come back as a float.
void Encoder::real(double v) {
  const auto bits = std::bit_cast<uint64_t>(v);
  char encoded[9] = {'\xcb'};
  for (int i = 0; i < 8; ++i) encoded[1 + i] = static_cast<char>(bits >> (56 - 8 * i));
  impl_->header.write(encoded, sizeof encoded);
}

void Encoder::str(std::string_view v) {
  const uint32_t length = length_of(v.size(), "a str");
  impl_->packer.pack_str(length);
  impl_->packer.pack_str_body(v.data(), length);
}

void Encoder::bin(std::string_view v) {
  const uint32_t length = length_of(v.size(), "a bytes value");
  impl_->packer.pack_bin(length);
  impl_->packer.pack_bin_body(v.data(), length);
}

void Encoder::array(size_t count) { impl_->packer.pack_array(length_of(count, "a list")); }
void Encoder::map(size_t count) { impl_->packer.pack_map(length_of(count, "a dict")); }

void Encoder::opaque(int8_t ext_type, std::string_view payload) {
  const uint32_t length = length_of(payload.size(), "a pickled object");
  impl_->packer.pack_ext(length, ext_type);
  impl_->packer.pack_ext_body(payload.data(), length);
}

void Encoder::tensor(DType dtype, const Shape& shape, Slice data) {
  opaque(kExtTensor, impl_->tensor(dtype, shape, std::move(data)));
}

void Encoder::tensor(DType dtype, const Shape& shape, std::vector<Slice> pieces) {
  opaque(kExtTensor, impl_->tensor(dtype, shape, std::move(pieces)));
}

void Encoder::ndarray(const NdArray& v) {
  PickleWriter pickle;
  write_meta(pickle, v.dtype, v.shape, impl_->add(v.data));
  opaque(kExtNumpy, std::move(pickle).finish());
}

void Encoder::ndarray(std::string_view dtype, const Shape& shape, std::vector<Slice> pieces) {
  PickleWriter pickle;
  write_meta(pickle, dtype, shape, impl_->add(std::move(pieces)));
  opaque(kExtNumpy, std::move(pickle).finish());
}

void Encoder::nested(const NestedTensor& v) {
  PickleWriter pickle;
  pickle.empty_dict();
  pickle.mark();
  pickle.text("layout");
  pickle.text(v.jagged ? "jagged" : "strided");
  pickle.text("tensors");
  pickle.empty_list();
  pickle.mark();
  for (const Tensor& tensor : v.tensors) {
    write_meta(pickle, dtype_name(tensor.dtype), tensor.shape, impl_->add(tensor.data));
  }
  pickle.appends();
  pickle.set_items();
  opaque(kExtNestedTensor, std::move(pickle).finish());
}

void Encoder::value(const Value& v) { std::visit(ValueWriter{*this, v}, v.variant()); }

OutMessage Encoder::finish() {
  const size_t size = impl_->header.size();
  const std::shared_ptr<char> header(impl_->header.release(), std::free);
  impl_->message.set_first({reinterpret_cast<const std::byte*>(header.get()), size, header});
  OutMessage message = std::move(impl_->message);
  impl_ = std::make_unique<Impl>();
  return message;
}

Frames encode_value(const Value& v) {
  Encoder encoder;
  encoder.value(v);
  return encoder.finish();
}

}  // namespace tq::wire
