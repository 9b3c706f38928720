// SPDX-License-Identifier: Apache-2.0
// Each truncation and each flipped bit of each recorded message gives a value or an error. Run
// under ASan and UBSan (preset debug) this also shows that no byte outside a frame is touched.
#include <set>

#include "support/catch.h"
#include "support/golden.h"
#include "wire/decode.h"
#include "wire/unpack.h"

namespace tq::test {
namespace {

using wire::Frames;
using wire::Slice;

// What a node does with a request: decode, then unpack its body as the type says.
bool decodes(const Frames& frames) {
  static const wire::Limits limits;
  Result<wire::Envelope> decoded = wire::decode(frames, limits);
  if (!decoded) {
    CHECK(std::string(decoded.error().what()) != "");
    return false;
  }
  wire::Envelope& envelope = *decoded;
  const auto unpack = [&]<class Message>() {
    if (Message::kType != envelope.request_type) return;
    try {
      wire::unpack_body<Message>(envelope.body, limits);
    } catch (const Error& error) {
      CHECK(std::string(error.what()) != "");
    }
  };
  wire::ControllerRequests::for_each(unpack);
  wire::StorageRequests::for_each(unpack);
  return true;
}

// The frame that a message's meaning stands in: the header, or the pickle of the fallback.
size_t meaning_frame(const Frames& frames) { return frames[0].view() == "\xC1\xFE\xED" ? 1 : 0; }

// Messages of one type and size differ only in ids and times between releases: mutate one of each.
std::vector<GoldenMessage> distinct_messages() {
  std::set<std::pair<std::string, size_t>> seen;
  std::vector<GoldenMessage> distinct;
  for (GoldenMessage& message : load_golden()) {
    const std::string type = message.file.stem().string().substr(4);
    if (seen.emplace(type, message.frames[meaning_frame(message.frames)].size).second) {
      distinct.push_back(std::move(message));
    }
  }
  return distinct;
}

TEST_CASE("each truncated message gives a value or an error") {
  size_t refused = 0;
  size_t tried = 0;
  for (const GoldenMessage& message : load_golden()) {
    const size_t frame = meaning_frame(message.frames);
    for (size_t size = 0; size < message.frames[frame].size; ++size) {
      Frames cut = message.frames;
      // A block of exactly this size, so that a read past its end is seen.
      cut[frame] = Slice::copy_of(message.frames[frame].view().substr(0, size));
      refused += decodes(cut) ? 0 : 1;
      ++tried;
    }
    for (size_t count = 0; count < message.frames.size(); ++count) {
      const bool decoded = decodes(Frames(message.frames.begin(), message.frames.begin() + count));
      CHECK_FALSE(decoded);  // a frame is missing that the header refers to
    }
  }
  CHECK(refused == tried);  // no proper prefix of a msgpack map or of a pickle is whole
}

TEST_CASE("each flipped bit gives a value or an error") {
  size_t refused = 0;
  size_t taken = 0;
  for (const GoldenMessage& message : distinct_messages()) {
    const size_t frame = meaning_frame(message.frames);
    std::string bytes(message.frames[frame].view());
    Frames flipped = message.frames;
    for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
      flipped[frame] = {reinterpret_cast<const std::byte*>(bytes.data()), bytes.size(), nullptr};
      (decodes(flipped) ? taken : refused) += 1;
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    }
  }
  CHECK(refused > 0);
  CHECK(taken > 0);
}

TEST_CASE("a buffer frame of another length is refused") {
  for (const GoldenMessage& message : load_golden()) {
    if (message.frames[0].view() == "\xC1\xFE\xED") continue;
    for (size_t i = 1; i < message.frames.size(); ++i) {
      INFO(message.name() << " frame " << i);
      Frames longer = message.frames;
      longer[i] = Slice::copy_of(std::string(message.frames[i].view()) + "x");
      // Whatever its dtype, one byte more fits no shape of more than one byte an element; columns
      // of single bytes are refused by their count.
      CHECK_FALSE(decodes(longer));
    }
  }
}

}  // namespace
}  // namespace tq::test
