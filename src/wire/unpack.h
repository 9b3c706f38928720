// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "transfer_queue/error.h"
#include "wire/limits.h"
#include "wire/messages.h"

namespace tq::wire {

/// Where in a body a value stands, for error messages: "body.global_indexes[3]".
struct Path {
  const Path* parent = nullptr;
  std::string_view name;
  std::optional<size_t> index;
  std::string text() const;
};

/// The path of a map's entry: "body.field_schema.ids", "body.tags[7]".
inline Path entry_path(const Path& map, const std::string& key) {
  return {&map, key, std::nullopt};
}
inline Path entry_path(const Path& map, int64_t key) {
  return {&map, {}, static_cast<size_t>(key)};
}

/// Throws Error(kWrongType): "body.keys[1] must be a str, got int".
[[noreturn]] void throw_wrong_type(const Path& path, std::string_view wanted, const Value& got);

// Field readers, one a C++ type. They move text and values out of `v`. They throw Error(kWrongType)
// or Error(kLimit), naming the path.
void unpack_field(Value& v, const Path& path, const Limits& limits, bool& out);
void unpack_field(Value& v, const Path& path, const Limits& limits, int64_t& out);
void unpack_field(Value& v, const Path& path, const Limits& limits, std::string& out);
void unpack_field(Value& v, const Path& path, const Limits& limits, Value& out);
void unpack_field(Value& v, const Path& path, const Limits& limits, Tensor& out);
void unpack_field(Value& v, const Path& path, const Limits& limits, FieldUpdate& out);
void unpack_field(Value& v, const Path& path, const Limits& limits, BatchMeta& out);
/// Global indexes: non-negative, at most limits.global_index_max, at most limits.rows_max of them.
/// An int64 tensor or numpy array of one dimension stands for a list, as in Python.
void unpack_field(Value& v, const Path& path, const Limits& limits, Indexes& out);

template <class T>
void unpack_field(Value& v, const Path& path, const Limits& limits, std::optional<T>& out);
template <class T>
void unpack_field(Value& v, const Path& path, const Limits& limits, std::vector<T>& out);
template <class K, class V>
void unpack_field(Value& v, const Path& path, const Limits& limits,
                  std::vector<std::pair<K, V>>& out);

/// The items of a list or tuple; throws when v is neither or has more than limits.rows_max.
Array& items_of(Value& v, const Path& path, const Limits& limits);
Map& entries_of(Value& v, const Path& path, const Limits& limits);

template <class T>
void unpack_field(Value& v, const Path& path, const Limits& limits, std::optional<T>& out) {
  if (v.is_nil()) {
    out.reset();
    return;
  }
  unpack_field(v, path, limits, out.emplace());
}

template <class T>
void unpack_field(Value& v, const Path& path, const Limits& limits, std::vector<T>& out) {
  Array& items = items_of(v, path, limits);
  out.clear();
  out.reserve(items.size());
  for (size_t i = 0; i < items.size(); ++i) {
    unpack_field(items[i], Path{&path, {}, i}, limits, out.emplace_back());
  }
}

template <class K, class V>
void unpack_field(Value& v, const Path& path, const Limits& limits,
                  std::vector<std::pair<K, V>>& out) {
  Map& entries = entries_of(v, path, limits);
  out.clear();
  out.reserve(entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    auto& [key, value] = out.emplace_back();
    unpack_field(entries[i].first, Path{&path, "key", i}, limits, key);
    unpack_field(entries[i].second, entry_path(path, key), limits, value);
  }
}

namespace internal {

Value* find_in_body(Value& body, const char* name);
[[noreturn]] void throw_missing(std::string_view message_type, const char* name);

struct FieldUnpacker {
  Value& body;
  const Limits& limits;
  std::string_view message_type;
  Path root{nullptr, "body", std::nullopt};

  template <class T>
  void required(const char* name, T& out) {
    Value* v = find_in_body(body, name);
    if (v == nullptr) throw_missing(message_type, name);
    unpack_field(*v, Path{&root, name, std::nullopt}, limits, out);
  }
  template <class T>
  void optional(const char* name, T& out) {
    Value* v = find_in_body(body, name);
    if (v != nullptr) unpack_field(*v, Path{&root, name, std::nullopt}, limits, out);
  }
};

}  // namespace internal

/// Moves a body's content into its typed message (a handler that may wait unpacks a copy). Throws
/// Error(kMissingKey), (kWrongType) or (kLimit) with the message type and the field in the
/// sentence.
template <class Message>
Message unpack_body(Value& body, const Limits& limits) {
  Message message;
  Message::fields(message, internal::FieldUnpacker{body, limits, Message::kType});
  return message;
}

}  // namespace tq::wire
