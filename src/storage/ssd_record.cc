// SPDX-License-Identifier: Apache-2.0
#include "storage/ssd_record.h"

#include <fmt/format.h>

#include <cstring>

#include "checkpoint/checksum.h"
#include "transfer_queue/error.h"
#include "wire/decode.h"

namespace tq::storage {
namespace {

// In the machine's own order: no other machine reads it.
constexpr size_t kNumber = sizeof(uint64_t);

uint64_t number_at(const wire::Slice& record, size_t at) {
  uint64_t number = 0;
  std::memcpy(&number, record.data + at, kNumber);
  return number;
}

[[noreturn]] void fail(const ssd::SegmentReader& reader, const ssd::Extent& extent,
                       const std::string& why) {
  throw Error(ErrorCode::kUnavailable,
              fmt::format("{} has other bytes than were written at byte {}: {}",
                          reader.segment().path(), extent.offset, why));
}

}  // namespace

wire::Frames make_record(const wire::Frames& row) {
  std::string start((2 + row.size()) * kNumber, '\0');
  const auto set = [&](size_t at, uint64_t number) {
    std::memcpy(start.data() + at * kNumber, &number, kNumber);
  };
  set(1, row.size());
  for (size_t i = 0; i < row.size(); ++i) set(2 + i, row[i].size);
  checkpoint::Checksum checksum;
  checksum.add(std::string_view(start).substr(kNumber));
  for (const wire::Slice& frame : row) checksum.add(frame.view());
  set(0, checksum.value());
  wire::Frames record;
  record.reserve(1 + row.size());
  record.push_back(wire::Slice::own(std::move(start)));
  record.insert(record.end(), row.begin(), row.end());
  return record;
}

wire::Value read_record(const ssd::SegmentReader& reader, const ssd::Extent& extent,
                        const wire::Limits& limits) {
  auto [record, to] = wire::Slice::allocate(extent.size);
  reader.read(extent, to);
  checkpoint::Checksum checksum;
  checksum.add(record.view().substr(kNumber));
  if (checksum.value() != number_at(record, 0)) fail(reader, extent, "the checksum is another one");
  const uint64_t count = number_at(record, kNumber);
  wire::Frames frames;
  frames.reserve(count);
  size_t at = (2 + count) * kNumber;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t size = number_at(record, (2 + i) * kNumber);
    frames.push_back(record.sub(at, size));
    at += size;
  }
  Result<wire::Value> row = wire::decode_value(frames, limits);
  if (!row) fail(reader, extent, row.error().what());
  return std::move(*row);
}

}  // namespace tq::storage
