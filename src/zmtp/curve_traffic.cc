// SPDX-License-Identifier: Apache-2.0
#include "zmtp/curve_traffic.h"

#include <sodium.h>

#include <cstring>

#include "transfer_queue/error.h"
#include "zmtp/curve_box.h"

namespace tq::zmtp {
namespace {

constexpr std::string_view kName = "\x07MESSAGE";
constexpr size_t kNumberAt = kName.size();
constexpr size_t kBoxAt = kNumberAt + kShortNonceBytes;
constexpr size_t kFlagsAt = kBoxAt + kBoxBytes;
constexpr size_t kDataAt = kFlagsAt + 1;
static_assert(kDataAt == CurveTraffic::kOverhead);

// So that what is opened begins at a multiple of it; new memory does.
constexpr size_t kAlignment = 64;
constexpr size_t kSkip = kAlignment - kDataAt;

constexpr unsigned char kMore = 1;
constexpr unsigned char kCommand = 2;

std::string_view prefix(bool by_server) {
  return by_server ? "CurveZMQMESSAGES" : "CurveZMQMESSAGEC";
}

unsigned char* bytes_of(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

[[noreturn]] void fail(const char* reason) { throw Error(ErrorCode::kDecode, reason); }

}  // namespace

CurveTraffic::CurveTraffic(const CurveSecret& shared, bool is_server, uint64_t sent,
                           uint64_t received)
    : key_(shared), is_server_(is_server), sent_(sent), received_(received) {}

std::pair<Slice, std::byte*> CurveTraffic::begin(size_t bytes, unsigned char flags) {
  auto [message, to] = Slice::allocate(kDataAt + bytes);
  const std::string number = short_nonce(++sent_);
  std::memcpy(to, kName.data(), kName.size());
  std::memcpy(to + kNumberAt, number.data(), number.size());
  to[kFlagsAt] = static_cast<std::byte>(flags);
  return {std::move(message), to};
}

// Flags and data, where they lie.
void CurveTraffic::encrypt(std::byte* message, size_t bytes) {
  const CurveNonce nonce = curve_nonce(prefix(is_server_), short_nonce(sent_));
  unsigned char* plain = bytes_of(message + kFlagsAt);
  ::crypto_box_detached_afternm(plain, bytes_of(message + kBoxAt), plain, 1 + bytes, nonce.data(),
                                key_.bytes.data());
}

Slice CurveTraffic::seal(std::span<const OutMessage::Piece> pieces, size_t bytes, bool more) {
  auto [message, start] = begin(bytes, more ? kMore : 0);
  std::byte* to = start + kDataAt;
  for (const OutMessage::Piece& piece : pieces) {
    if (piece.data.empty()) continue;
    std::memcpy(to, piece.data.data, piece.data.size);
    to += piece.data.size;
  }
  encrypt(start, bytes);
  return message;
}

Slice CurveTraffic::seal_command(std::string_view command) {
  auto [message, start] = begin(command.size(), kCommand);
  std::memcpy(start + kDataAt, command.data(), command.size());
  encrypt(start, command.size());
  return message;
}

std::pair<Slice, std::byte*> CurveTraffic::place(size_t size) {
  auto [memory, start] = Slice::allocate(kSkip + size);
  return {memory.sub(kSkip, size), start + kSkip};
}

CurveTraffic::Payload CurveTraffic::open(const Slice& message) {
  const std::string_view text = message.view();
  if (text.size() < kDataAt || !text.starts_with(kName)) fail("it sends what is no CURVE MESSAGE");
  const std::string_view number = text.substr(kNumberAt, kShortNonceBytes);
  // Nothing is lost on TCP: a gap is a message that somebody took out.
  if (read_short_nonce(number) != received_ + 1) fail("its CURVE messages come out of order");
  ++received_;
  const CurveNonce nonce = curve_nonce(prefix(!is_server_), number);
  // The memory is the reader's own, taken for this frame.
  auto* bytes = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(message.data));
  unsigned char* boxed = bytes + kFlagsAt;
  if (::crypto_box_open_detached_afternm(boxed, boxed, bytes + kBoxAt, text.size() - kFlagsAt,
                                         nonce.data(), key_.bytes.data()) != 0) {
    fail("it sends a CURVE message that was changed, or made with another key");
  }
  return {message.sub(kDataAt, message.size - kDataAt), (*boxed & kMore) != 0,
          (*boxed & kCommand) != 0};
}

}  // namespace tq::zmtp
