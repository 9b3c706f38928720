// SPDX-License-Identifier: Apache-2.0
#include "wire/decode.h"

#include <fmt/format.h>

#include <exception>
#include <new>

#include "wire/header_visitor.h"
#include "wire/pickled_message.h"

namespace tq::wire {
namespace {

[[noreturn]] void fail(const std::string& message) { throw Error(ErrorCode::kDecode, message); }

Value parse_header(std::span<const Slice> frames, const Limits& limits) {
  const std::string_view header = frames[0].view();
  if (header.empty()) fail("the first frame is empty; a message starts with its msgpack header");
  HeaderVisitor visitor(frames, limits);
  size_t offset = 0;
  if (!msgpack::parse(header.data(), header.size(), offset, visitor)) throw visitor.error();
  if (offset != header.size()) {
    fail(fmt::format("{} bytes follow the msgpack value in the header", header.size() - offset));
  }
  return visitor.take();
}

Value decode_frames(std::span<const Slice> frames, const Limits& limits) {
  if (frames.empty()) fail("the message has no frames");
  if (frames.size() > limits.frames_max) {
    fail(fmt::format("the message has {} frames; the limit is {}", frames.size(),
                     limits.frames_max));
  }
  const bool pickled = is_pickled_message(frames);
  const size_t header_bytes = pickled ? frames[1].size : frames[0].size;
  if (header_bytes > limits.header_bytes_max) {
    fail(fmt::format("the header has {} bytes; the limit is {}", header_bytes,
                     limits.header_bytes_max));
  }
  return pickled ? read_pickled_message(frames, limits) : parse_header(frames, limits);
}

Value take(Value& message, const char* key) {
  if (message.get_if<Map>() == nullptr) {
    fail(fmt::format("the header is a {}, not a dict", message.kind_name()));
  }
  Value* found = message.find(key);
  if (found == nullptr) fail(fmt::format("the header has no '{}'", key));
  return std::move(*found);
}

std::string take_text(Value& message, const char* key, const Limits& limits) {
  Value v = take(message, key);
  std::string* text = v.get_mutable_if<std::string>();
  if (text == nullptr)
    fail(fmt::format("the header's '{}' is a {}, not a str", key, v.kind_name()));
  if (text->size() > limits.name_bytes_max) {  // replies, errors and logs repeat it
    fail(fmt::format("the header's '{}' has {} bytes; the limit is {}", key, text->size(),
                     limits.name_bytes_max));
  }
  return std::move(*text);
}

double take_timestamp(Value& message) {
  const Value v = take(message, "timestamp");
  if (const double* real = v.get_if<double>()) return *real;
  if (const int64_t* integer = v.get_if<int64_t>()) return static_cast<double>(*integer);
  fail(fmt::format("the header's 'timestamp' is a {}, not a float", v.kind_name()));
}

Envelope to_envelope(Value message, const Limits& limits) {
  Envelope envelope;
  envelope.request_type = take_text(message, "request_type", limits);
  envelope.sender_id = take_text(message, "sender_id", limits);
  Value receiver = take(message, "receiver_id");
  if (std::string* text = receiver.get_mutable_if<std::string>()) {
    envelope.receiver_id = std::move(*text);
  } else if (!receiver.is_nil()) {
    fail(fmt::format("the header's 'receiver_id' is a {}, not a str", receiver.kind_name()));
  }
  envelope.request_id = take_text(message, "request_id", limits);
  envelope.timestamp = take_timestamp(message);
  envelope.body = take(message, "body");
  return envelope;
}

// Runs a decoder; whatever it throws becomes an Error.
template <class T, class F>
Result<T> guarded(F&& f) noexcept {
  try {
    return f();
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return Error(ErrorCode::kDecode, "there is not enough memory to decode the message");
  } catch (const std::exception& error) {
    return Error(ErrorCode::kDecode, error.what());
  }
}

}  // namespace

Result<Envelope> decode(std::span<const Slice> frames, const Limits& limits) noexcept {
  return guarded<Envelope>([&] { return to_envelope(decode_frames(frames, limits), limits); });
}

Result<Value> decode_value(std::span<const Slice> frames, const Limits& limits) noexcept {
  return guarded<Value>([&] { return decode_frames(frames, limits); });
}

}  // namespace tq::wire
