// SPDX-License-Identifier: Apache-2.0
#include "storage/numpy_pickle.h"

#include "wire/pickle_writer.h"

namespace tq::storage {

// numpy.core.multiarray.scalar(numpy.dtype(dtype), bytes): numpy 2 keeps the old module name for
// pickles.
std::string numpy_scalar_pickle(std::string_view dtype, std::string_view bytes) {
  wire::PickleWriter pickle;
  pickle.global("numpy.core.multiarray", "scalar");
  pickle.mark();
  pickle.global("numpy", "dtype");
  pickle.mark();
  pickle.text(dtype);
  pickle.tuple();
  pickle.reduce();
  pickle.bytes(bytes);
  pickle.tuple();
  pickle.reduce();
  return std::move(pickle).finish();
}

// _reconstruct(ndarray, (0,), b"b") with the state (version, shape, dtype, is_fortran, items).
std::optional<wire::Array> object_array_items(const wire::Value& value) {
  const auto* call = value.get_if<wire::PyObject>();
  if (call == nullptr || call->name != "_reconstruct" || call->state.size() != 1) return {};
  const auto* state = call->state[0].get_if<wire::Tuple>();
  if (state == nullptr || state->items.size() != 5) return {};
  const auto* shape = state->items[1].get_if<wire::Tuple>();
  const auto* items = state->items[4].get_if<wire::Array>();  // bytes when not of objects
  if (shape == nullptr || shape->items.size() != 1 || items == nullptr) return {};
  const auto* count = shape->items[0].get_if<int64_t>();
  if (count == nullptr || static_cast<uint64_t>(*count) != items->size()) return {};
  return *items;
}

}  // namespace tq::storage
