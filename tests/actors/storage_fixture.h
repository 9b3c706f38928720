// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "storage/storage_unit.h"
#include "support/catch.h"
#include "wire/pack.h"

namespace tq::test {

/// A reply as a peer receives it: the frames on the wire and what they decode to.
struct Answer {
  wire::Frames frames;
  wire::Envelope envelope;

  const std::string& type() const { return envelope.request_type; }
  std::string message() const {
    const wire::Value* text = envelope.body.find("message");
    const auto* string = text != nullptr ? text->get_if<std::string>() : nullptr;
    return string != nullptr ? *string : std::string();
  }
  bool says(const std::string& part) const { return message().find(part) != std::string::npos; }
  /// A column of a GET_DATA_RESPONSE.
  const wire::Value& column(const std::string& field) const& {
    REQUIRE(type() == "GET_DATA_RESPONSE");
    const wire::Value* data = envelope.body.find("data");
    REQUIRE(data != nullptr);
    const wire::Value* found = data->find(field);
    REQUIRE(found != nullptr);
    return *found;
  }
  wire::Value column(const std::string& field) && { return std::as_const(*this).column(field); }
};

inline Answer decoded(wire::Frames frames) {
  Result<wire::Envelope> envelope = wire::decode(frames, wire::Limits{});
  REQUIRE(envelope.ok());
  return {std::move(frames), std::move(*envelope)};
}

/// Hands frames to a unit as the event loop does and gives its answer.
inline Answer send(storage::StorageUnit& unit, const wire::Frames& frames) {
  Result<wire::Envelope> envelope = wire::decode(frames, wire::Limits{});
  if (!envelope) return decoded(unit.undecodable(envelope.error()).frames);
  runtime::Request request{std::move(*envelope), std::chrono::steady_clock::now()};
  runtime::Outcome outcome = unit.handle(request, request.received_at);
  REQUIRE(std::holds_alternative<runtime::Reply>(outcome));
  return decoded(std::move(std::get<runtime::Reply>(outcome).frames));
}

template <class Message>
Answer send(storage::StorageUnit& unit, const Message& message) {
  return send(unit, wire::Frames(wire::pack_request("TQ_STORAGE_test", unit.id(), message)));
}

inline Answer put(storage::StorageUnit& unit, wire::Indexes indexes, wire::Map columns) {
  return send(unit, wire::PutData{std::move(indexes), std::move(columns), {}});
}
inline Answer get(storage::StorageUnit& unit, wire::Names fields, wire::Indexes indexes) {
  return send(unit, wire::GetData{std::move(fields), std::move(indexes)});
}
inline Answer clear(storage::StorageUnit& unit, wire::Indexes indexes) {
  return send(unit, wire::ClearData{std::move(indexes)});
}

/// A frame as libzmq delivers it: memory of its own, and whether it still lives.
struct Frame {
  wire::Slice slice;
  std::weak_ptr<const void> alive;
};

inline Frame make_frame(size_t size, char first = 0) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(first + static_cast<char>(i / 7));
  wire::Slice slice = wire::Slice::own(std::move(bytes));
  std::weak_ptr<const void> alive = slice.owner;
  return {std::move(slice), std::move(alive)};
}

/// An int64 tensor 0, 1, 2, ... of a shape.
inline wire::Tensor counting(wire::Shape shape, int64_t first = 0) {
  std::vector<int64_t> numbers(static_cast<size_t>(wire::element_count(shape)));
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = first + static_cast<int64_t>(i);
  const std::string_view bytes(reinterpret_cast<const char*>(numbers.data()), numbers.size() * 8);
  return {wire::DType::int64, std::move(shape), wire::Slice::copy_of(bytes)};
}

inline bool is_tensor(const wire::Value& value, const wire::Tensor& expected) {
  const auto* tensor = value.get_if<wire::Tensor>();
  return tensor != nullptr && tensor->dtype == expected.dtype && tensor->shape == expected.shape &&
         tensor->data.view() == expected.data.view();
}

/// Row i of a column of a reply, as a Python client's column[i].
inline wire::Value row_of(const wire::Value& column, size_t i) {
  if (const auto* items = column.get_if<wire::Array>()) return items->at(i);
  const auto* dense = column.get_if<wire::Tensor>();
  REQUIRE(dense != nullptr);
  const auto count = static_cast<size_t>(dense->shape.at(0));
  REQUIRE(i < count);
  const size_t bytes = dense->data.size / count;
  return wire::Tensor{dense->dtype, wire::Shape(dense->shape.begin() + 1, dense->shape.end()),
                      dense->data.sub(i * bytes, bytes)};
}

inline size_t row_count(const wire::Value& column) {
  if (const auto* items = column.get_if<wire::Array>()) return items->size();
  const auto* dense = column.get_if<wire::Tensor>();
  REQUIRE(dense != nullptr);
  return static_cast<size_t>(dense->shape.at(0));
}

}  // namespace tq::test
