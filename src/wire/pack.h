// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/decode.h"
#include "wire/encode.h"
#include "wire/messages.h"

namespace tq::wire {

/// The header fields of an outgoing message, all but the body.
struct Head {
  std::string_view request_type;
  std::string_view sender_id;
  std::optional<std::string> receiver_id;
};

/// What rides under the body key `x_tq` between C++ nodes; Python ignores it.
struct Extension {
  static constexpr std::string_view kKey = "x_tq";
  static constexpr int64_t kVersion = 1;
  int64_t version = kVersion;
  std::string request_id;   // echoed, so that a late reply is told from the awaited one
  std::string incarnation;  // of the node that replies: a restart changes it
  Map more = {};            // keys of some requests and replies alone (docs/protocol.md)
};

/// The extension of a body; nothing when there is none or it is malformed (a peer's own business).
std::optional<Extension> extension_of(const Value& body);

/// Writes header and body: `body` must write exactly one value (the body) into the encoder.
OutMessage pack_message(const Head& head, const std::function<void(Encoder&)>& body);

// Field writers, one a C++ type.
inline void pack_field(Encoder& e, bool v) { e.boolean(v); }
inline void pack_field(Encoder& e, int64_t v) { e.integer(v); }
inline void pack_field(Encoder& e, const std::string& v) { e.str(v); }
inline void pack_field(Encoder& e, const Value& v) { e.value(v); }
inline void pack_field(Encoder& e, const Tensor& v) { e.tensor(v.dtype, v.shape, v.data); }
inline void pack_field(Encoder& e, const BatchMeta& v) { e.pickled(pickle_batch_meta(v)); }
void pack_field(Encoder& e, const FieldUpdate& v);

template <class T>
void pack_field(Encoder& e, const std::optional<T>& v);
template <class T>
void pack_field(Encoder& e, const std::vector<T>& v);
/// A vector of pairs is a map.
template <class K, class V>
void pack_field(Encoder& e, const std::vector<std::pair<K, V>>& v);

template <class T>
void pack_field(Encoder& e, const std::optional<T>& v) {
  if (v.has_value()) {
    pack_field(e, *v);
  } else {
    e.nil();
  }
}

template <class T>
void pack_field(Encoder& e, const std::vector<T>& v) {
  e.array(v.size());
  for (const T& item : v) pack_field(e, item);
}

template <class K, class V>
void pack_field(Encoder& e, const std::vector<std::pair<K, V>>& v) {
  e.map(v.size());
  for (const auto& [key, value] : v) {
    pack_field(e, key);
    pack_field(e, value);
  }
}

namespace internal {

template <class T>
bool is_absent(const T&) {
  return false;
}
template <class T>
bool is_absent(const std::optional<T>& v) {
  return !v.has_value();
}

struct FieldCounter {
  size_t count = 0;
  template <class T>
  void required(const char*, const T&) {
    ++count;
  }
  template <class T>
  void optional(const char*, const T& v) {
    if (!is_absent(v)) ++count;
  }
};

struct FieldPacker {
  Encoder& encoder;
  template <class T>
  void required(const char* name, const T& v) {
    encoder.str(name);
    pack_field(encoder, v);
  }
  template <class T>
  void optional(const char* name, const T& v) {
    if (!is_absent(v)) required(name, v);
  }
};

void pack_extension(Encoder& encoder, const Extension& extension);

}  // namespace internal

/// A message's body: its fields, and the extension when there is one. Absent optional fields are
/// left out.
template <class Message>
void pack_body(Encoder& encoder, const Message& message,
               const std::optional<Extension>& extension = std::nullopt) {
  internal::FieldCounter counter;
  Message::fields(message, counter);
  encoder.map(counter.count + (extension ? 1 : 0));
  Message::fields(message, internal::FieldPacker{encoder});
  if (extension) internal::pack_extension(encoder, *extension);
}

/// A request of our own.
template <class Message>
OutMessage pack_request(std::string_view sender_id, std::optional<std::string> receiver_id,
                        const Message& message,
                        const std::optional<Extension>& extension = std::nullopt) {
  return pack_message({Message::kType, sender_id, std::move(receiver_id)},
                      [&](Encoder& e) { pack_body(e, message, extension); });
}

/// The extension that a reply to `request` carries: request id echoed, our incarnation; nothing
/// when the request had none.
std::optional<Extension> reply_extension(std::string_view sender_id, const Envelope& request);

/// `more` are further keys of that extension.
template <class Message>
OutMessage pack_reply(std::string_view sender_id, const Envelope& request, const Message& message,
                      Map more = {}) {
  std::optional<Extension> extension = reply_extension(sender_id, request);
  if (extension) extension->more = std::move(more);
  return pack_message({Message::kType, sender_id, request.sender_id},
                      [&](Encoder& e) { pack_body(e, message, extension); });
}

}  // namespace tq::wire
