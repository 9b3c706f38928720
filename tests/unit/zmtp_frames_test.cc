// SPDX-License-Identifier: Apache-2.0
// Frames off the wire and onto it, against bytes that the specification dictates.
#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <random>

#include "support/catch.h"
#include "support/zmtp_bytes.h"
#include "transfer_queue/error.h"
#include "zmtp/frame_reader.h"
#include "zmtp/frame_writer.h"

namespace tq::test {
namespace {

using zmtp::Frame;
using zmtp::FrameReader;
using zmtp::FrameWriter;

constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kAnySize = size_t{1} << 40;
// Where the size field grows and where reads of the kernel end.
constexpr size_t kSizes[] = {0, 1, 255, 256, 65535, 65536, kMiB + 1, 3 * kMiB};

struct Sent {
  char flags;
  std::string body;
};

/// How many bytes the kernel has at each read, given what is left.
using Chopping = std::function<size_t(size_t left)>;

/// Gives bytes to a reader as recvmsg would: into its places, in order.
class Receiver {
 public:
  explicit Receiver(size_t frame_bytes_max = kAnySize, size_t scratch_bytes = size_t{64} << 10)
      : reader_(frame_bytes_max), scratch_(scratch_bytes) {}

  /// One read; returns how many of the bytes had a place.
  size_t receive(std::string_view bytes) {
    size_t count = 0;
    size_t in_scratch = 0;
    for (const iovec& place : reader_.places(scratch_)) {
      const size_t here = std::min(place.iov_len, bytes.size() - count);
      if (here > 0) std::memcpy(place.iov_base, bytes.data() + count, here);
      if (place.iov_base == scratch_.data()) in_scratch = here;
      count += here;
    }
    reader_.received(count, scratch_, frames);
    // Another connection's bytes come there next.
    std::fill_n(scratch_.begin(), in_scratch, std::byte{0xee});
    return count;
  }
  void receive_all(std::string_view bytes, const Chopping& chop) {
    while (!bytes.empty()) bytes.remove_prefix(receive(bytes.substr(0, chop(bytes.size()))));
  }
  std::span<iovec> places() { return reader_.places(scratch_); }

  std::vector<Frame> frames;

 private:
  FrameReader reader_;
  std::vector<std::byte> scratch_;
};

Chopping pieces_of(size_t size) {
  return [size](size_t left) { return std::min(size, left); };
}

/// Sizes of all magnitudes up to 2 MiB.
Chopping random_pieces(std::mt19937& random) {
  return [&random](size_t left) {
    const size_t most = size_t{1} << std::uniform_int_distribution<int>(0, 21)(random);
    return std::min(left, std::uniform_int_distribution<size_t>(1, most)(random));
  };
}

/// Every size as a frame that goes on, a command and a last frame, in an order that puts small
/// ones after large ones.
std::vector<Sent> every_kind() {
  std::vector<Sent> sent;
  uint32_t salt = 0;
  for (const char flags : {kMoreFlag, kCommandFlag, kLastFlag}) {
    for (const size_t size : kSizes) sent.push_back({flags, patterned(size, ++salt)});
  }
  return sent;
}

std::string bytes_of(const std::vector<Sent>& sent) {
  std::string bytes;
  for (const Sent& frame : sent) bytes += zmtp_frame(frame.flags, frame.body);
  return bytes;
}

void check_frames(const std::vector<Frame>& frames, const std::vector<Sent>& sent) {
  REQUIRE(frames.size() == sent.size());
  for (size_t i = 0; i < sent.size(); ++i) {
    INFO("frame " << i << " of " << sent[i].body.size() << " bytes");
    CHECK((frames[i].data.view() == sent[i].body));  // not printed: up to 3 MiB
    CHECK(frames[i].more == (sent[i].flags == kMoreFlag));
    CHECK(frames[i].command == (sent[i].flags == kCommandFlag));
  }
}

std::optional<ErrorCode> refusal_of(Receiver& receiver, std::string_view bytes) {
  try {
    receiver.receive_all(bytes, pieces_of(SIZE_MAX));
  } catch (const Error& error) {
    return error.code();
  }
  return std::nullopt;
}

TEST_CASE("frames are cut the same out of pieces of any size") {
  const std::vector<Sent> sent = every_kind();
  const std::string bytes = bytes_of(sent);
  const size_t piece = GENERATE(2, 3, 9, 63, 64, 65, 4096, 65535, 65536, 65537, kMiB, SIZE_MAX);
  INFO("pieces of " << piece);
  Receiver receiver;
  receiver.receive_all(bytes, pieces_of(piece));
  check_frames(receiver.frames, sent);
}

TEST_CASE("frames are cut the same when each byte comes alone") {
  std::vector<Sent> sent;
  uint32_t salt = 0;
  for (const size_t size : kSizes) {
    sent.push_back({size % 2 == 0 ? kMoreFlag : kCommandFlag, patterned(size, ++salt)});
    sent.push_back({kLastFlag, "x"});
  }
  Receiver receiver;
  receiver.receive_all(bytes_of(sent), pieces_of(1));
  check_frames(receiver.frames, sent);
}

TEST_CASE("frames are cut the same out of random pieces, whatever the scratch") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::vector<Sent> sent = every_kind();
  const size_t scratch = GENERATE(1, 7, 64, 65536);
  INFO("scratch of " << scratch);
  for (int round = 0; round < 5; ++round) {
    std::shuffle(sent.begin(), sent.end(), random);
    Receiver receiver(kAnySize, scratch);
    receiver.receive_all(bytes_of(sent), random_pieces(random));
    check_frames(receiver.frames, sent);
  }
}

TEST_CASE("a frame is there with its last byte, not before, and waits for no next one") {
  for (const size_t size : kSizes) {
    INFO(size << " bytes");
    const std::string bytes = zmtp_frame(kLastFlag, patterned(size));
    Receiver receiver;
    receiver.receive_all(std::string_view(bytes).substr(0, bytes.size() - 1), pieces_of(SIZE_MAX));
    CHECK(receiver.frames.empty());
    receiver.receive_all(std::string_view(bytes).substr(bytes.size() - 1), pieces_of(1));
    CHECK(receiver.frames.size() == 1);
  }
}

TEST_CASE("a short body in a long frame is read too") {  // the RFC allows 0 to 2^63-1 octets
  Receiver receiver;
  receiver.receive(std::string("\x02") + network_order(3, 8) + "abc" + "\x02" +
                   network_order(0, 8));
  check_frames(receiver.frames, {{kLastFlag, "abc"}, {kLastFlag, ""}});
}

TEST_CASE("a large body is received where it stays") {
  const std::string body = patterned(3 * kMiB);
  Receiver receiver;
  receiver.receive(zmtp_header(kLastFlag, body.size()));
  const void* place = receiver.places()[0].iov_base;
  receiver.receive_all(body, pieces_of(SIZE_MAX));
  REQUIRE(receiver.frames.size() == 1);
  CHECK(receiver.frames[0].data.data == place);
}

TEST_CASE("reserved bits of the flags are refused by their byte alone") {
  for (int flags = 0; flags < 256; ++flags) {
    INFO("flags " << flags);
    Receiver receiver;
    const char byte = static_cast<char>(flags);
    CHECK(refusal_of(receiver, {&byte, 1}) ==
          (flags >= 8 ? std::optional(ErrorCode::kDecode) : std::nullopt));
  }
}

TEST_CASE("what came before bytes that are no frame is kept") {
  Receiver receiver;
  CHECK(refusal_of(receiver, zmtp_frame(kLastFlag, "good") + "HTTP/1.1") == ErrorCode::kDecode);
  check_frames(receiver.frames, {{kLastFlag, "good"}});
}

TEST_CASE("a frame beyond the limit is refused by its header alone") {
  const auto refusal = [](size_t limit, char flags, uint64_t size) {
    Receiver receiver(limit);
    return refusal_of(receiver, zmtp_header(flags, size));
  };
  CHECK(refusal(1000, kLastFlag, 1000) == std::nullopt);
  for (const char flags : {kLastFlag, kMoreFlag, kCommandFlag}) {
    CHECK(refusal(1000, flags, 1001) == ErrorCode::kLimit);
  }
  CHECK(refusal(200, kLastFlag, 201) == ErrorCode::kLimit);
  CHECK(refusal(kAnySize, kLastFlag, kAnySize + 1) == ErrorCode::kLimit);
  CHECK(refusal(kAnySize, kLastFlag, uint64_t{1} << 63) == ErrorCode::kLimit);
  CHECK(refusal(kAnySize, kLastFlag, UINT64_MAX) == ErrorCode::kLimit);
}

/// What a writer is given, the bytes that must come of it, and when its owners may go.
class Outbox {
 public:
  void add_greeting() {
    expected += zmtp_greeting();
    writer.add_raw(zmtp_greeting());
  }
  void add_command(const std::string& body) {
    expected += zmtp_frame(kCommandFlag, body);
    writer.add_command(body);
  }
  void add_message(const std::vector<std::string>& bodies) {
    Frames frames;
    for (size_t i = 0; i < bodies.size(); ++i) {
      expected += zmtp_frame(i + 1 < bodies.size() ? kMoreFlag : kLastFlag, bodies[i]);
      frames.push_back(Slice::copy_of(bodies[i]));
      owners_.emplace_back(frames.back().owner, expected.size());
    }
    if (!bodies.empty()) message_ends_.push_back(expected.size());
    writer.add_message(std::move(frames));
  }
  /// Each frame of one or several pieces.
  void add_pieces(const std::vector<std::vector<std::string>>& frames) {
    OutMessage message;
    for (size_t i = 0; i < frames.size(); ++i) {
      std::string whole;
      for (const std::string& piece : frames[i]) whole += piece;
      const char flags = i + 1 < frames.size() ? kMoreFlag : kLastFlag;
      expected += zmtp_header(flags, whole.size());
      std::vector<Slice> pieces;
      for (const std::string& piece : frames[i]) {
        expected += piece;
        pieces.push_back(Slice::copy_of(piece));
        owners_.emplace_back(pieces.back().owner, expected.size());
      }
      message.add(std::move(pieces));
    }
    message_ends_.push_back(expected.size());
    writer.add_message(std::move(message));
  }
  /// One write of up to `count` bytes.
  void write(size_t count) {
    size_t left = count;
    for (const iovec& place : writer.places()) {
      const size_t here = std::min(left, place.iov_len);
      written.append(static_cast<const char*>(place.iov_base), here);
      left -= here;
    }
    writer.written(count - left);
  }
  /// Owners that live although their bytes are written, or are gone although they are not.
  size_t wrong_owners() const {
    return static_cast<size_t>(std::count_if(owners_.begin(), owners_.end(), [&](const auto& o) {
      return o.first.expired() != (o.second <= written.size());
    }));
  }
  size_t unwritten_messages() const {
    return static_cast<size_t>(std::count_if(message_ends_.begin(), message_ends_.end(),
                                             [&](size_t end) { return end > written.size(); }));
  }

  FrameWriter writer;
  std::string expected;
  std::string written;

 private:
  std::vector<std::pair<std::weak_ptr<const void>, size_t>> owners_;  // and where their bytes end
  std::vector<size_t> message_ends_;
};

void fill(Outbox& outbox) {
  outbox.add_greeting();
  outbox.add_command(zmtp_ready("ROUTER"));
  std::vector<std::string> all_sizes;
  for (const size_t size : kSizes) {
    all_sizes.push_back(patterned(size));
    outbox.add_message({all_sizes.back()});
    outbox.add_command(patterned(size));
  }
  outbox.add_message(all_sizes);
  outbox.add_message({});  // no message at all
  outbox.add_message(std::vector<std::string>(1000, "small"));
  outbox.add_message({"", "", ""});
  outbox.add_pieces({{"a", "", "bc"}, {""}, {patterned(300), patterned(70'000, 1), "end"}});
  outbox.add_pieces({std::vector<std::string>(1000, "piece"), {"", "", "last"}});
}

void check_progress(const Outbox& outbox) {
  CHECK(outbox.wrong_owners() == 0);
  CHECK(outbox.writer.messages() == outbox.unwritten_messages());
  CHECK(outbox.writer.empty() == (outbox.written.size() == outbox.expected.size()));
}

TEST_CASE("what is written is the specification's bytes, whatever the kernel takes at once") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  Outbox outbox;
  fill(outbox);
  const Chopping chop = random_pieces(random);
  while (!outbox.writer.empty()) {
    outbox.write(chop(SIZE_MAX));
    check_progress(outbox);
    outbox.write(0);
  }
  CHECK((outbox.written == outbox.expected));
}

TEST_CASE("owners go with the last byte of their frame, not before") {
  Outbox outbox;
  outbox.add_message({"one", "", patterned(300), ""});
  outbox.add_command("pong");
  outbox.add_message({patterned(256)});
  while (!outbox.writer.empty()) {
    outbox.write(1);
    check_progress(outbox);
  }
  CHECK(outbox.written == outbox.expected);
}

TEST_CASE("what is added while a frame is half written comes after it") {
  Outbox outbox;
  outbox.add_message({patterned(1000)});
  outbox.write(500);
  outbox.add_command("pong");
  outbox.add_message({"next"});
  check_progress(outbox);
  outbox.write(SIZE_MAX);
  CHECK(outbox.written == outbox.expected);
  check_progress(outbox);
}

TEST_CASE("one write lists no more places than the kernel takes") {
  constexpr size_t kPlacesMax = 1024;  // IOV_MAX of Linux
  Outbox outbox;
  outbox.add_message(std::vector<std::string>(5000, "small"));
  while (!outbox.writer.empty()) {
    const size_t places = outbox.writer.places().size();
    REQUIRE(places > 0);
    REQUIRE(places <= kPlacesMax);
    outbox.write(SIZE_MAX);
  }
  CHECK(outbox.written == outbox.expected);
}

}  // namespace
}  // namespace tq::test
