// SPDX-License-Identifier: Apache-2.0
#include "wire/pack.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <random>

namespace tq::wire {
namespace {

// Eight hex digits, as Python's uuid4().hex[:8]; unique within the process, unlikely to repeat
// elsewhere.
std::string next_request_id() {
  static std::atomic<uint32_t> next{std::random_device{}()};
  return fmt::format("{:08x}", next.fetch_add(1, std::memory_order_relaxed));
}

double seconds_since_epoch() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

std::string text_or_empty(const Value* v) {
  const std::string* text = v != nullptr ? v->get_if<std::string>() : nullptr;
  return text != nullptr ? *text : std::string();
}

}  // namespace

std::optional<Extension> extension_of(const Value& body) {
  const Value* v = body.find(Extension::kKey);
  const Value* version = v != nullptr ? v->find("version") : nullptr;
  const int64_t* number = version != nullptr ? version->get_if<int64_t>() : nullptr;
  if (number == nullptr) return std::nullopt;
  return Extension{*number, text_or_empty(v->find("request_id")),
                   text_or_empty(v->find("incarnation"))};
}

std::optional<Extension> reply_extension(std::string_view sender_id, const Envelope& request) {
  std::optional<Extension> extension = extension_of(request.body);
  if (!extension) return std::nullopt;
  extension->version = Extension::kVersion;
  extension->incarnation = sender_id;  // a node's id is drawn anew at each start
  return extension;
}

OutMessage pack_message(const Head& head, const std::function<void(Encoder&)>& body) {
  Encoder e;
  e.map(6);
  e.str("request_type");
  e.str(head.request_type);
  e.str("sender_id");
  e.str(head.sender_id);
  e.str("receiver_id");
  pack_field(e, head.receiver_id);
  e.str("request_id");
  e.str(next_request_id());
  e.str("timestamp");
  e.real(seconds_since_epoch());
  e.str("body");
  body(e);
  return e.finish();
}

void pack_field(Encoder& e, const FieldUpdate& v) {
  e.map(v.per_sample_shapes ? 5 : 4);
  e.str("dtype");
  e.value(v.dtype);
  e.str("shape");
  pack_field(e, v.shape);
  e.str("is_nested");
  pack_field(e, v.is_nested);
  e.str("is_non_tensor");
  pack_field(e, v.is_non_tensor);
  if (v.per_sample_shapes) {
    e.str("per_sample_shapes");
    pack_field(e, *v.per_sample_shapes);
  }
}

namespace internal {

void pack_extension(Encoder& e, const Extension& extension) {
  e.str(Extension::kKey);
  e.map(3 + extension.more.size());
  e.str("version");
  e.integer(extension.version);
  e.str("request_id");
  e.str(extension.request_id);
  e.str("incarnation");
  e.str(extension.incarnation);
  for (const auto& [key, value] : extension.more) {
    e.value(key);
    e.value(value);
  }
}

}  // namespace internal
}  // namespace tq::wire
