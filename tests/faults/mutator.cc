// SPDX-License-Identifier: Apache-2.0
#include "faults/mutator.h"

#include <algorithm>
#include <utility>

namespace tq::test {
namespace {

// Big-endian, as msgpack has its lengths.
std::string be32(size_t v) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(v >> shift & 0xff);
  return bytes;
}

// A msgpack ext 1 (a pickle) or 2 (a callable).
std::string ext(char type, const std::string& payload) {
  return "\xc9" + be32(payload.size()) + type + payload;
}

std::vector<std::string> hostile_pickles(const std::string& marker) {
  const std::string touch = "touch " + marker;
  const std::string write = "open('" + marker + "', 'w')";
  return {
      "cos\nsystem\n(S'" + touch + "'\ntR.",
      "(S'" + touch + "'\nios\nsystem\n.",
      "(cos\nsystem\nS'" + touch + "'\no.",
      "cbuiltins\neval\n(S\"" + write + "\"\ntR.",
      "cbuiltins\nexec\n(S\"" + write + "\"\ntR.",
      "csubprocess\ncheck_call\n((S'touch'\nS'" + marker + "'\nltR.",
      // One list that holds itself, and one that is named a thousand times.
      "]q\x01h\x01"
      "a.",
      "]q\x01" +
          [] {
            std::string many;
            for (int i = 0; i < 30; ++i)
              many +=
                  "]h\x01"
                  "ah\x01"
                  "aq\x01";
            return many;
          }() +
          ".",
  };
}

}  // namespace

Mutator::Mutator(uint64_t seed, std::vector<Message> recorded, const std::string& marker)
    : random_(seed), recorded_(std::move(recorded)), pickles_(hostile_pickles(marker)) {}

Mutator::Message Mutator::next() {
  Message message = any();
  switch (below(20)) {
    case 0:
      return message;
    case 1:
      return random_bytes();
    case 2:
      return {"\xC1\xFE\xED", pickles_[below(pickles_.size())]};  // a message pickled whole
    case 3:
      shuffle(message);
      break;
    case 4:
      cut(some_frame(message));
      break;
    case 5:
    case 6:
      splice(message[0]);
      break;
    case 7:
      claim_huge(message[0]);
      break;
    case 8:
      nest_deeply(message[0]);
      break;
    case 9:
      put_pickle_into(message[0]);
      break;
    case 10:
      if (below(40) == 0) blow_up(message[0]);
      break;
    default:
      flip(below(4) == 0 ? some_frame(message) : message[0]);
  }
  if (below(8) == 0) flip(some_frame(message));
  return message;
}

void Mutator::flip(std::string& bytes) {
  for (size_t i = 1 + below(4); i > 0 && !bytes.empty(); --i) {
    bytes[below(bytes.size())] = static_cast<char>(below(3) == 0 ? 0xff : below(256));
  }
}

void Mutator::cut(std::string& bytes) {
  if (bytes.empty()) return;
  if (below(2) == 0) {
    bytes.resize(below(bytes.size()));
  } else {
    bytes.erase(below(bytes.size()), 1 + below(8));
  }
}

// A piece of another header in place of a piece of this one.
void Mutator::splice(std::string& bytes) {
  const std::string& other = any()[0];
  const size_t from = below(other.size());
  const std::string piece = other.substr(from, 1 + below(40));
  bytes.replace(below(bytes.size() + 1), below(2) == 0 ? piece.size() : 0, piece);
}

void Mutator::shuffle(Message& message) {
  std::shuffle(message.begin(), message.end(), random_);
  if (below(2) == 0) message.push_back(any().back());
  if (below(2) == 0 && message.size() > 1) message.pop_back();
}

// A container or a text that says it holds four billion.
void Mutator::claim_huge(std::string& bytes) {
  static constexpr char kTypes[] = {'\xdb', '\xc6', '\xdd', '\xdf',
                                    '\xc9'};  // str bin array map ext
  bytes.insert(below(bytes.size() + 1), kTypes[below(sizeof kTypes)] + be32(UINT32_MAX));
}

void Mutator::nest_deeply(std::string& bytes) {
  const size_t depth = 1 + below(100'000);
  bytes.insert(below(bytes.size() + 1), std::string(depth, below(2) == 0 ? '\x91' : '\x81'));
}

// Past the header's bound.
void Mutator::blow_up(std::string& bytes) {
  const size_t size = size_t{5} << 20;
  bytes =
      "\x81\xa4"
      "body\xdb" +
      be32(size) + std::string(size, 'x');
}

// As a value of the body that stands before the others, or anywhere: decoders read it either way.
void Mutator::put_pickle_into(std::string& bytes) {
  const std::string value = ext(static_cast<char>(1 + below(5)), pickles_[below(pickles_.size())]);
  const size_t body = bytes.find(
      "\xa4"
      "body");
  constexpr size_t kKeyBytes = 5;
  const bool is_small_map = body != std::string::npos && body + kKeyBytes < bytes.size() &&
                            (bytes[body + kKeyBytes] & 0xf0) == 0x80 &&
                            (bytes[body + kKeyBytes] & 0x0f) < 15;
  if (!is_small_map || below(8) == 0) {
    bytes.insert(below(bytes.size() + 1), value);
    return;
  }
  static const std::vector<std::string> keys = {"dtype",        "keys",           "partition_id",
                                                "data",         "x_tq",           "data_parser",
                                                "field_schema", "sampling_config"};
  const std::string& key = keys[below(keys.size())];
  ++bytes[body + kKeyBytes];  // one entry more
  bytes.insert(body + kKeyBytes + 1, static_cast<char>(0xa0 | key.size()) + key + value);
}

Mutator::Message Mutator::random_bytes() {
  Message message(1 + below(4));
  for (std::string& frame : message) {
    frame.resize(below(64));
    for (char& c : frame) c = static_cast<char>(below(256));
  }
  return message;
}

}  // namespace tq::test
