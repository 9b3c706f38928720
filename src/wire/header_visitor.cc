// SPDX-License-Identifier: Apache-2.0
#include "wire/header_visitor.h"

#include <fmt/format.h>

#include <algorithm>

#include "wire/ext.h"
#include "wire/utf8.h"

namespace tq::wire {

HeaderVisitor::HeaderVisitor(std::span<const Slice> frames, const Limits& limits)
    : frames_(frames), limits_(limits), budget_(frames[0].size, limits) {}

Error HeaderVisitor::error() const {
  return Error(ErrorCode::kDecode, failure_.value_or("the msgpack header cannot be parsed"));
}

bool HeaderVisitor::fail(std::string message) {
  if (!failure_) failure_ = std::move(message);
  return false;
}

// Whether what comes next is a map's key or part of one. Python makes tuples of arrays there and
// refuses what it cannot hash; passed on to another client, such a key would fail its whole reply.
bool HeaderVisitor::at_key() const {
  if (levels_.empty()) return false;
  const Level& level = levels_.back();
  return level.inside_key || (level.container->get_if<Map>() != nullptr && !level.key_pending);
}

Value* HeaderVisitor::place(Value v) {
  if (levels_.empty()) {
    root_ = std::move(v);
    return &root_;
  }
  Level& level = levels_.back();
  if (Array* array = level.container->get_mutable_if<Array>()) {
    return &array->emplace_back(std::move(v));
  }
  Map& map = *level.container->get_mutable_if<Map>();
  level.key_pending = !level.key_pending;
  if (level.key_pending) return &map.emplace_back(std::move(v), Value()).first;
  return &(map.back().second = std::move(v));
}

bool HeaderVisitor::add(Value v) {
  budget_.take(1);
  place(std::move(v));
  return true;
}

bool HeaderVisitor::visit_str(const char* v, uint32_t size) {
  const std::string_view text(v, size);
  if (!is_utf8(text)) return fail("a str is not valid UTF-8");
  return add(Value(text));
}

bool HeaderVisitor::visit_bin(const char* v, uint32_t size) {
  return add(Value(Bytes{std::string(v, size)}));
}

bool HeaderVisitor::visit_ext(const char* v, uint32_t size) {
  // msgpack-c hands over the type byte and the payload together.
  const auto type = static_cast<int8_t>(v[0]);
  try {
    const bool key = at_key();
    Value decoded = decode_ext(type, std::string_view(v + 1, size - 1), frames_, limits_, budget_);
    if (key && decoded.get_if<NdArray>() != nullptr) return fail("a dict has a numpy array as key");
    return add(std::move(decoded));
  } catch (const Error& error) {
    return fail(fmt::format("{}: {}", place_text(), error.what()));
  }
}

// Where the next value would stand, for errors: "body.data.ids[3]".
std::string HeaderVisitor::place_text() const {
  std::string text;
  for (const Level& level : levels_) {
    if (const Array* array = level.container->get_if<Array>()) {
      // The last item is the container of the next level; on the last level the item is to come.
      const size_t index = &level == &levels_.back() ? array->size() : array->size() - 1;
      text += fmt::format("[{}]", index);
      continue;
    }
    const Map& map = *level.container->get_if<Map>();
    const std::string* key = map.empty() ? nullptr : map.back().first.get_if<std::string>();
    if (key != nullptr) text += fmt::format("{}{}", text.empty() ? "" : ".", printable(*key, 64));
  }
  return text.empty() ? "the header" : text;
}

bool HeaderVisitor::open(Value container, uint32_t count, size_t bytes_each) {
  // Each announced item takes at least one byte of the header, which no other item takes, so
  // lengths that cannot be true are refused before they are reserved, also those of containers in
  // containers.
  announced_ += count * bytes_each;
  if (announced_ > frames_[0].size) {
    return fail(fmt::format("a container announces {} items, more than the header's {} bytes hold",
                            count, frames_[0].size));
  }
  if (levels_.size() >= limits_.depth_max) {
    return fail(fmt::format("values are nested deeper than {}", limits_.depth_max));
  }
  if (announced_ > limits_.nodes_max) {
    return fail(fmt::format("more than {} values in one message", limits_.nodes_max));
  }
  budget_.take(1);
  const bool key = at_key();
  levels_.push_back({place(std::move(container)), false, key});
  return true;
}

bool HeaderVisitor::start_array(uint32_t count) {
  if (!open(Value(Array{}), count, 1)) return false;
  levels_.back().container->get_mutable_if<Array>()->reserve(count);
  return true;
}

bool HeaderVisitor::start_map(uint32_t count) {
  if (at_key()) return fail("a dict has a dict as key");
  if (!open(Value(Map{}), count, 2)) return false;
  levels_.back().container->get_mutable_if<Map>()->reserve(count);
  return true;
}

bool HeaderVisitor::close() {
  levels_.pop_back();
  return true;
}

void HeaderVisitor::parse_error(size_t, size_t error_offset) {
  fail(fmt::format("the msgpack header has an invalid byte at offset {}", error_offset));
}

void HeaderVisitor::insufficient_bytes(size_t, size_t) {
  fail(fmt::format("the msgpack header ends in the middle of a value, after {} bytes",
                   frames_[0].size));
}

}  // namespace tq::wire
