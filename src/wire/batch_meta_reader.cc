// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstring>

#include "transfer_queue/error.h"
#include "wire/batch_meta.h"
#include "wire/decode.h"
#include "wire/pickle_reader.h"
#include "wire/unpack.h"

namespace tq::wire {
namespace {

// The places of the slots in BatchMeta's state (transfer_queue.metadata.BatchMeta.__slots__).
enum Slot : size_t {
  kGlobalIndexes,
  kPartitionIds,
  kFieldSchema,
  kProductionStatus,
  kExtraInfo,
  kCustomMeta,
  kCustomBackendMeta,
  kSlots = 10,
};

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorCode::kDecode, "a BatchMeta in a reply " + what);
}

// An int8 numpy array: `_frombuffer(bytes, dtype, shape, order)` of Python's pickles, or
// `_reconstruct(...)` with the state `(version, shape, dtype, fortran, bytes)` of ours.
std::vector<int8_t> read_status(const Value& v) {
  const PyObject* call = v.get_if<PyObject>();
  const Bytes* bytes = nullptr;
  if (call != nullptr && call->name == "_frombuffer" && !call->args.empty()) {
    bytes = call->args[0].get_if<Bytes>();
  } else if (call != nullptr && call->name == "_reconstruct" && !call->state.empty()) {
    const Tuple* state = call->state[0].get_if<Tuple>();
    if (state != nullptr && state->items.size() == 5) bytes = state->items[4].get_if<Bytes>();
  }
  if (bytes == nullptr) fail("has a production_status that is no array");
  std::vector<int8_t> status(bytes->bytes.size());
  if (!status.empty()) std::memcpy(status.data(), bytes->bytes.data(), status.size());
  return status;
}

// A tag that our controllers wrote as a call of the package's decode() on message frames.
Value with_decode_calls(Value v, const Limits& limits) {
  if (Array* items = v.get_mutable_if<Array>()) {
    for (Value& item : *items) item = with_decode_calls(std::move(item), limits);
  } else if (Map* map = v.get_mutable_if<Map>()) {
    for (auto& [key, value] : *map) value = with_decode_calls(std::move(value), limits);
  } else if (const PyObject* call = v.get_if<PyObject>()) {
    if (!call->is("transfer_queue.utils.serial_utils", "decode") || call->args.size() != 1)
      return v;
    const Array* parts = call->args[0].get_if<Array>();
    if (parts == nullptr) return v;
    Frames frames;
    for (const Value& part : *parts) {
      const Bytes* bytes = part.get_if<Bytes>();
      frames.push_back(bytes != nullptr ? Slice::copy_of(bytes->bytes) : Slice{});
    }
    return decode_value(frames, limits).value();
  }
  return v;
}

std::vector<Value> read_dicts(Value& v, const Limits& limits) {
  Array* items = v.get_mutable_if<Array>();
  if (items == nullptr) fail("has custom_meta that is no list");
  for (Value& item : *items) item = with_decode_calls(std::move(item), limits);
  return std::move(*items);
}

FieldSchema read_field(Value& v, const Path& path, const Limits& limits) {
  FieldSchema field;
  entries_of(v, path, limits);
  const auto optional = [&](const char* name, auto& target) {
    if (Value* entry = v.find(name)) {
      unpack_field(*entry, Path{&path, name, std::nullopt}, limits, target);
    }
  };
  const Value* shape = v.find("shape");
  field.shape_is_tuple = shape != nullptr && shape->get_if<Tuple>() != nullptr;
  optional("dtype", field.dtype);
  optional("shape", field.shape);
  optional("is_nested", field.is_nested);
  optional("is_non_tensor", field.is_non_tensor);
  optional("per_sample_shapes", field.per_sample_shapes);
  return field;
}

void check_lengths(const BatchMeta& meta) {
  const size_t size = meta.global_indexes.size();
  if (meta.partition_ids.size() != size || meta.production_status.size() != size ||
      meta.custom_meta.size() != size) {
    fail(fmt::format("has {} indexes but {} partition ids, {} statuses and {} tags", size,
                     meta.partition_ids.size(), meta.production_status.size(),
                     meta.custom_meta.size()));
  }
}

// The slots of a BatchMeta in a pickle, moved out: there may be millions of items.
Array slots_of(Value pickled) {
  const std::string_view kind = pickled.kind_name();
  const PyObject* object = pickled.get_if<PyObject>();
  if (object == nullptr || !object->is("transfer_queue.metadata", "BatchMeta") ||
      object->state.size() != 1 || object->state[0].get_if<Tuple>() == nullptr) {
    fail(fmt::format("is a {}", kind));
  }
  return pickled.take<PyObject>().state[0].take<Tuple>().items;
}

}  // namespace

BatchMeta read_batch_meta(const Value& v, const Limits& limits) {
  Value pickled = v;
  if (const Opaque* opaque = v.get_if<Opaque>()) {
    // Tags may hold objects of any class; they are noted by name and stay what they are.
    pickled = read_pickle(opaque->payload.view(), limits, UnknownNames::kKeep);
  }
  Array slots = slots_of(std::move(pickled));
  if (slots.size() != kSlots)
    fail(fmt::format("has {} slots instead of {}", slots.size(), +kSlots));
  const Path path{nullptr, "metadata", std::nullopt};
  BatchMeta meta;
  unpack_field(slots[kGlobalIndexes], path, limits, meta.global_indexes);
  unpack_field(slots[kPartitionIds], path, limits, meta.partition_ids);
  for (auto& [name, field] : entries_of(slots[kFieldSchema], path, limits)) {
    std::string text;
    unpack_field(name, path, limits, text);
    meta.field_schema.emplace_back(text, read_field(field, path, limits));
  }
  meta.extra_info = entries_of(slots[kExtraInfo], path, limits);
  meta.production_status = read_status(slots[kProductionStatus]);
  meta.custom_meta = read_dicts(slots[kCustomMeta], limits);
  meta.custom_backend_meta = read_dicts(slots[kCustomBackendMeta], limits);
  check_lengths(meta);
  return meta;
}

}  // namespace tq::wire
