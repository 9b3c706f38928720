// SPDX-License-Identifier: Apache-2.0
#include "zmtp/frame_writer.h"

#include <utility>

namespace tq::zmtp {
namespace {

// Parts of one write. More than fit into the kernel's buffers at once would be listed in vain.
constexpr size_t kPartsMax = 128;

void add_place(std::vector<iovec>& places, const std::byte* data, size_t size, size_t skip) {
  if (skip >= size) return;
  // The kernel only reads from it; iovec has no const.
  places.push_back({const_cast<std::byte*>(data + skip), size - skip});
}

}  // namespace

void FrameWriter::add(Part part) {
  bytes_ += part.header.count + part.body.size;
  queue_.push_back(std::move(part));
}

void FrameWriter::add_raw(std::string_view bytes) {
  add({{{}, 0}, Slice::copy_of(bytes), Ends::kNothing});
}

void FrameWriter::add_command(std::string_view body) {
  add({write_header({body.size(), false, true}), Slice::copy_of(body), Ends::kCommand});
  ++commands_;
}

void FrameWriter::add_message(OutMessage message) {
  size_t frames_left = message.frames();
  for (OutMessage::Piece& piece : message.pieces()) {
    HeaderBytes header{};
    if (piece.frame_bytes != OutMessage::kContinues) {
      header = write_header({piece.frame_bytes, --frames_left > 0, false});
    }
    add({header, std::move(piece.data), Ends::kNothing});
  }
  if (message.empty()) return;
  queue_.back().ends = Ends::kMessage;
  ++messages_;
}

void FrameWriter::add_frame(Slice body, Ends ends) {
  const HeaderBytes header = write_header({body.size, false, false});
  add({header, std::move(body), ends});
  if (ends == Ends::kMessage) ++messages_;
  if (ends == Ends::kCommand) ++commands_;
}

std::span<const iovec> FrameWriter::places() {
  places_.clear();
  size_t skip = front_written_;
  for (size_t i = 0; i < queue_.size() && i < kPartsMax; ++i) {
    const Part& part = queue_[i];
    add_place(places_, part.header.bytes.data(), part.header.count, skip);
    const size_t of_body = skip > part.header.count ? skip - part.header.count : 0;
    add_place(places_, part.body.data, part.body.size, of_body);
    skip = 0;
  }
  return places_;
}

void FrameWriter::written(size_t count) {
  count += front_written_;
  while (!queue_.empty()) {
    const size_t size = queue_.front().header.count + queue_.front().body.size;
    if (count < size) break;
    count -= size;
    bytes_ -= size;
    if (queue_.front().ends == Ends::kMessage) --messages_;
    if (queue_.front().ends == Ends::kCommand) --commands_;
    queue_.pop_front();
  }
  front_written_ = count;
}

}  // namespace tq::zmtp
