// SPDX-License-Identifier: Apache-2.0
#include "soak/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace tq::soak {
namespace {

constexpr uint64_t kSaltX = 1, kSaltY = 2;
constexpr uint64_t kLengthsY = 300;

// splitmix64
uint64_t mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

// FNV-1a
uint64_t hash_of(std::string_view key) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

uint64_t seed_of(std::string_view key, int64_t version, uint64_t salt) {
  return mix(hash_of(key) ^ mix(static_cast<uint64_t>(version) * 4 + salt));
}

size_t length_of_y(std::string_view key, int64_t version) {
  return 1 + seed_of(key, version, kSaltY) % kLengthsY;
}

void append_words(std::vector<uint64_t>& words, std::string_view key, int64_t version,
                  uint64_t salt, size_t count) {
  const uint64_t seed = seed_of(key, version, salt);
  words.push_back(static_cast<uint64_t>(version));
  for (size_t i = 1; i < count; ++i) words.push_back(mix(seed + i));
}

Slice slice_of(const std::vector<uint64_t>& words) {
  return Slice::copy_of({reinterpret_cast<const char*>(words.data()), words.size() * 8});
}

// The version that a row of tensors claims to be of; nothing good when it has no word.
int64_t claimed_version(const Tensor& row) {
  int64_t version = -1;
  if (row.data.view().size() >= 8) std::memcpy(&version, row.data.view().data(), 8);
  return version;
}

bool holds(const Tensor& row, std::string_view key, int64_t version, uint64_t salt, size_t count) {
  std::vector<uint64_t> words;
  append_words(words, key, version, salt, count);
  return row.dtype == DType::int64 && row.data.view().size() == words.size() * 8 &&
         std::memcmp(row.data.view().data(), words.data(), words.size() * 8) == 0;
}

std::string note_of(std::string_view key, int64_t version) {
  return fmt::format("{}@{}", key, version);
}

std::string wrong_in_row(const Batch& batch, size_t i, const std::string& key,
                         const std::vector<int64_t>& versions) {
  const Tensor x = batch.at("x").row_tensor(i);
  const int64_t version = claimed_version(x);
  const auto what = [&](std::string_view field) {
    return fmt::format("key '{}': field {} is not what was put as version {}", key, field, version);
  };
  if (!versions.empty() && std::find(versions.begin(), versions.end(), version) == versions.end()) {
    return fmt::format("key '{}': version {}, but what was put last is version {}", key, version,
                       versions.back());
  }
  const size_t width = x.data.view().size() / 8;
  if (width == 0 || !holds(x, key, version, kSaltX, width)) return what("x");
  const size_t length = length_of_y(key, version);
  if (!holds(batch.at("y").row_tensor(i), key, version, kSaltY, length)) return what("y");
  const Value note = batch.at("note").row(i);
  const std::string* text = note.get_if<std::string>();
  return text != nullptr && *text == note_of(key, version) ? "" : what("note");
}

}  // namespace

Batch columns_of(const std::vector<std::string>& keys, int64_t version, size_t width) {
  std::vector<uint64_t> x, y;
  JaggedTensor jagged{{DType::int64, {}, {}}, {0}, {}};
  std::vector<Value> notes;
  for (const std::string& key : keys) {
    append_words(x, key, version, kSaltX, width);
    const size_t length = length_of_y(key, version);
    append_words(y, key, version, kSaltY, length);
    jagged.offsets.push_back(static_cast<int64_t>(y.size()));
    jagged.shapes.push_back({static_cast<int64_t>(length)});
    notes.emplace_back(note_of(key, version));
  }
  jagged.values.shape = {static_cast<int64_t>(y.size())};
  jagged.values.data = slice_of(y);
  const Shape shape = {static_cast<int64_t>(keys.size()), static_cast<int64_t>(width)};
  return {{"x", Column::dense({DType::int64, shape, slice_of(x)})},
          {"y", Column::jagged(std::move(jagged))},
          {"note", Column::values(std::move(notes))}};
}

std::string wrong_in(const Batch& batch, const std::vector<std::string>& keys,
                     const std::vector<int64_t>& versions) {
  if (batch.size() != keys.size()) {
    return fmt::format("{} rows came for {} keys", batch.size(), keys.size());
  }
  try {
    for (size_t i = 0; i < keys.size(); ++i) {
      std::string wrong = wrong_in_row(batch, i, keys[i], versions);
      if (!wrong.empty()) return wrong;
    }
  } catch (const Error& error) {  // a column of another kind than was put, or none
    return error.what();
  }
  return {};
}

std::vector<std::string> keys_in(const Batch& batch) {
  std::vector<std::string> keys;
  const Column* notes = batch.find("note");
  for (size_t i = 0; notes != nullptr && i < notes->size(); ++i) {
    const Value note = notes->row(i);
    const std::string* text = note.get_if<std::string>();
    keys.push_back(text != nullptr ? text->substr(0, text->rfind('@')) : "");
  }
  return keys;
}

}  // namespace tq::soak
