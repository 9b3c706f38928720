// SPDX-License-Identifier: Apache-2.0
// What a Stream does where there are keys.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "transfer_queue/error.h"
#include "zmtp/stream.h"

namespace tq::zmtp {
namespace {

// Encrypted ahead of what the kernel took; a frame is encrypted whole. So of messages that wait for
// a slow peer there is no second copy.
constexpr size_t kSealAhead = size_t{256} << 10;

}  // namespace

void Stream::shake_hands(const Frame& frame) {
  const std::string answer = handshake_->take(frame.data.view());
  if (!answer.empty()) writer_.add_command(answer);
  if (!handshake_->is_done()) return write();
  curve_ = handshake_->traffic();
  const std::string properties = handshake_->peer_properties();
  handshake_.reset();  // and with it the keys that made those of this connection
  become_ready(read_properties(own_, properties));
}

void Stream::take_sealed(const Frame& frame, std::vector<Frames>& messages) {
  if (frame.more) throw Error(ErrorCode::kDecode, "it sends what is no CURVE MESSAGE");
  CurveTraffic::Payload payload = curve_->open(frame.data);
  if (payload.command) {
    std::string pong;
    // In the midst of a message the message itself shows that somebody is here.
    if (sealed_pieces_ > 0 || writer_.commands() >= kUnsentCommandsMax) return;
    if (!answers_ping(payload.data.view(), pong)) return;
    writer_.add_frame(curve_->seal_command(pong), FrameWriter::Ends::kCommand);
    return write();
  }
  if (payload.data.size > limits_.message_bytes_max - opened_bytes_) {
    throw Error(ErrorCode::kLimit,
                fmt::format("it sends a message of more than {} bytes", limits_.message_bytes_max));
  }
  opened_bytes_ = payload.more ? opened_bytes_ + payload.data.size : 0;
  add_frame({std::move(payload.data), payload.more, false}, messages);
}

void Stream::seal_more() try {
  while (!held_.empty() && writer_.bytes() < kSealAhead) {
    const std::span<OutMessage::Piece> pieces = held_.front().pieces().subspan(sealed_pieces_);
    if (pieces.empty()) {
      held_.pop_front();
      continue;
    }
    size_t count = 1;
    while (count < pieces.size() && pieces[count].frame_bytes == OutMessage::kContinues) ++count;
    const std::span<OutMessage::Piece> frame = pieces.first(count);
    const bool more = count < pieces.size();
    Slice sealed = curve_->seal(frame, frame[0].frame_bytes, more);
    writer_.add_frame(std::move(sealed),
                      more ? FrameWriter::Ends::kNothing : FrameWriter::Ends::kMessage);
    held_bytes_ -= frame[0].frame_bytes;
    for (OutMessage::Piece& piece : frame) piece.data = {};
    sealed_pieces_ += count;
    if (more) continue;
    held_.pop_front();
    sealed_pieces_ = 0;
  }
} catch (const std::exception& error) {
  close(error.what());  // there is no memory for another frame
}

}  // namespace tq::zmtp
