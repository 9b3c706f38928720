// SPDX-License-Identifier: Apache-2.0
#include "checkpoint/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "transfer_queue/error.h"
#include "wire/decode.h"

namespace tq::checkpoint {
namespace {

const char* name_of(Kind kind) {
  return kind == Kind::kController ? "a controller" : "a storage unit";
}

// What Python's pickle.dump of protocol 2 to 5 begins with.
bool is_pickle(std::string_view start) {
  return start.size() >= 2 && start[0] == '\x80' && start[1] >= 2 && start[1] <= 5;
}

}  // namespace

Reader::Reader(Source& source, Kind kind, const wire::Limits& limits)
    : source_(source), limits_(limits) {
  std::string start(std::min<uint64_t>(kMagic.size(), left()), '\0');
  read(reinterpret_cast<std::byte*>(start.data()), start.size());
  if (start != kMagic) refuse_foreign(start);
  const uint64_t version = read_number(4);
  if (version != kVersion) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{} has version {} of the format of checkpoints, and this program "
                            "reads version {}; load it with the release that saved it, or a later "
                            "one",
                            source_.name(), version, kVersion));
  }
  require_kind(kind, static_cast<uint32_t>(read_number(4)));
}

void Reader::require_kind(Kind kind, uint32_t number) const {
  if (number == static_cast<uint32_t>(kind)) return;
  for (const Kind other : {Kind::kController, Kind::kStorageUnit}) {
    if (number != static_cast<uint32_t>(other)) continue;
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} is the checkpoint of {}, not of {}", source_.name(), name_of(other),
                            name_of(kind)));
  }
  fail(kMagic.size() + 4, fmt::format("there is no kind {} of checkpoint", number));
}

void Reader::refuse_foreign(std::string_view start) const {
  if (is_pickle(start)) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{} is a pickle, as the nodes of the Python package save; load it into "
                            "Python nodes, and put their rows into these with a client",
                            source_.name()));
  }
  throw Error(ErrorCode::kDecode,
              fmt::format("{} is no checkpoint of TransferQueue nodes in C++{}", source_.name(),
                          source_.size() == 0 ? ", it is empty" : ""));
}

std::optional<Section> Reader::next() {
  const uint64_t section_at = at_;
  const auto tag = static_cast<Tag>(read_number(4));
  const uint64_t frames = read_number(4);
  const uint64_t bytes = read_number(8);
  if (frames > limits_.frames_max || frames > left() / 8 || bytes > left() - 8 * frames) {
    fail(section_at, fmt::format("a section of {} frames and {} bytes does not fit the file of {} "
                                 "bytes; it is cut off or damaged",
                                 frames, bytes, source_.size()));
  }
  std::vector<uint64_t> sizes(frames);
  uint64_t sum = 0;
  for (uint64_t& size : sizes) {
    size = read_number(8);
    if (size > bytes - sum || size > limits_.frame_bytes_max) {
      fail(section_at, "the sizes of its frames do not add up");
    }
    sum += size;
  }
  if (sum != bytes) fail(section_at, "the sizes of its frames do not add up");
  wire::Frames content;
  content.reserve(frames);
  for (const uint64_t size : sizes) content.push_back(read_frame(size));
  read_checksum(section_at);
  if (tag == Tag::kEnd) {
    if (frames != 0 || left() != 0) fail(at_, "there is something after the end");
    return std::nullopt;
  }
  Result<wire::Value> value = wire::decode_value(content, limits_);
  if (!value) fail(section_at, value.error().what());
  return Section{tag, std::move(*value), section_at};
}

wire::Slice Reader::read_frame(uint64_t size) {
  auto [frame, to] = wire::Slice::allocate(size);
  read(to, size);
  return std::move(frame);
}

void Reader::read_checksum(uint64_t section_at) {
  const uint64_t computed = checksum_.value();
  if (read_number(8) != computed) {
    fail(section_at, "its checksum is another one; the file is damaged");
  }
}

void Reader::read(std::byte* to, size_t size) {
  const uint64_t from = at_;
  for (size_t done = 0; done < size;) {
    const size_t got = source_.read(to + done, size - done);
    if (got == 0) fail(from, "the file ends here; it is cut off or damaged");
    done += got;
    at_ += got;
  }
  checksum_.add({reinterpret_cast<const char*>(to), size});
}

uint64_t Reader::read_number(size_t bytes) {
  std::byte encoded[8];
  read(encoded, bytes);
  uint64_t number = 0;
  for (size_t i = 0; i < bytes; ++i) number |= std::to_integer<uint64_t>(encoded[i]) << (8 * i);
  return number;
}

void Reader::fail(uint64_t at, const std::string& what) const {
  throw Error(ErrorCode::kDecode,
              fmt::format("checkpoint {}, byte {}: {}", source_.name(), at, what));
}

}  // namespace tq::checkpoint
