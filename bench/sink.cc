// SPDX-License-Identifier: Apache-2.0
// Storage units that no other can be faster than: every request is answered as done, and nothing of
// it decoded. What an unmodified client reaches with them is what nodes can give it at the most
// (docs/performance.md).
//
//   sink INFO_FILE             the kernel throws the payload away where it arrives
//   sink INFO_FILE --receive   it is received, into memory on huge pages that the put before has
//                              touched: what a unit that keeps it cannot do without
//
// Each serves one unit until it is killed.
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "transfer_queue/endpoint.h"
#include "wire/messages.h"
#include "wire/pack.h"
#include "zmtp/frame_header.h"
#include "zmtp/frame_writer.h"
#include "zmtp/handshake.h"
#include "zmtp/tcp.h"

namespace {

using namespace tq;

// Clients take units of one id for one unit, and would not scatter.
const std::string kId = fmt::format("TQ_STORAGE_UNIT_{}", ::getpid());

struct PeerGone {};

// Memory for one message, the same for each.
class Arena {
 public:
  Arena() {
    if (data_ == MAP_FAILED) throw std::runtime_error("no address space for a message");
    ::madvise(data_, kBytes, MADV_HUGEPAGE);
  }
  ~Arena() { ::munmap(data_, kBytes); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  void begin_message() noexcept { used_ = 0; }
  void* place(size_t size) {
    if (size > kBytes - used_) throw std::runtime_error("a message is larger than 16 GiB");
    return static_cast<char*>(data_) + std::exchange(used_, used_ + size);
  }

 private:
  static constexpr size_t kBytes = size_t{16} << 30;  // of addresses; memory is what was touched
  void* data_ = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  size_t used_ = 0;
};

class Connection {
 public:
  Connection(zmtp::Descriptor socket, bool receives) : socket_(std::move(socket)) {
    if (receives) arena_ = std::make_unique<Arena>();
  }

  void serve() {
    writer_.add_raw({zmtp::greeting().data(), zmtp::greeting().size()});
    zmtp::check_greeting(read(zmtp::kGreetingBytes));
    writer_.add_command(zmtp::ready_command(zmtp::SocketType::kRouter, ""));
    write();
    const zmtp::FrameHeader ready = read_header();
    zmtp::read_ready(zmtp::SocketType::kRouter, read(ready.size));
    for (;;) answer(read_request());
  }

 private:
  // The header frame of the next message; its other frames go where nobody reads them.
  std::string read_request() {
    zmtp::FrameHeader frame = read_header();
    std::string header = read(frame.size);
    if (arena_ != nullptr) arena_->begin_message();
    while (frame.more) {
      frame = read_header();
      if (arena_ != nullptr) {
        receive(arena_->place(frame.size), frame.size, 0);
      } else {
        receive(nullptr, frame.size, MSG_TRUNC);
      }
    }
    return header;
  }

  void answer(const std::string& header) {
    const bool is_put = header.find("PUT") != std::string::npos;
    if (is_put) {
      send(wire::PutDataResponse{});
    } else {
      send(wire::ClearDataResponse{"thrown away"});
    }
  }

  template <class Message>
  void send(const Message& message) {
    writer_.add_message(wire::pack_message({Message::kType, kId, std::nullopt},
                                           [&](wire::Encoder& e) { wire::pack_body(e, message); }));
    write();
  }

  zmtp::FrameHeader read_header() {
    std::array<std::byte, 9> bytes{};
    receive(bytes.data(), 1, 0);
    const size_t count = zmtp::header_bytes(bytes[0]);
    receive(bytes.data() + 1, count - 1, 0);
    return zmtp::read_header(std::span(bytes).first(count));
  }

  std::string read(size_t count) {
    write();
    std::string bytes(count, '\0');
    receive(bytes.data(), count, 0);
    return bytes;
  }

  void receive(void* to, size_t count, int flags) {
    auto* at = static_cast<char*>(to);
    while (count > 0) {
      const ssize_t got = ::recv(socket_.number(), at, count, flags);
      if (got == 0) throw PeerGone();
      if (got < 0) {
        wait_for(POLLIN);
        continue;
      }
      count -= static_cast<size_t>(got);
      if (at != nullptr) at += got;
    }
  }

  void write() {
    while (!writer_.empty()) {
      const std::span<const iovec> places = writer_.places();
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(places.data());
      message.msg_iovlen = places.size();
      const ssize_t put = ::sendmsg(socket_.number(), &message, MSG_NOSIGNAL);
      if (put < 0) {
        wait_for(POLLOUT);
      } else {
        writer_.written(static_cast<size_t>(put));
      }
    }
  }

  void wait_for(short event) {
    if (errno != EAGAIN && errno != EINTR) throw PeerGone();
    pollfd item{socket_.number(), event, 0};
    ::poll(&item, 1, -1);
  }

  zmtp::Descriptor socket_;
  zmtp::FrameWriter writer_;
  std::unique_ptr<Arena> arena_;
};

void serve(zmtp::Descriptor socket, bool receives) {
  try {
    Connection(std::move(socket), receives).serve();
  } catch (const PeerGone&) {
  } catch (const std::exception& error) {
    fmt::print(stderr, "sink: {}\n", error.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool receives = argc == 3 && std::string_view(argv[2]) == "--receive";
  if (argc != 2 && !receives) {
    fmt::print(stderr, "usage: sink INFO_FILE [--receive]\n");
    return 2;
  }
  const zmtp::Listener listener = zmtp::listen_on("127.0.0.1", 0, 4096);
  ServerInfo{
      std::string(ServerInfo::kStorageRole), kId, "127.0.0.1", {{"put_get_socket", listener.port}}}
      .write(argv[1]);
  for (;;) {
    pollfd item{listener.socket.number(), POLLIN, 0};
    ::poll(&item, 1, -1);
    zmtp::Descriptor socket = zmtp::accept_from(listener).socket;
    if (socket.is_open()) std::thread(serve, std::move(socket), receives).detach();
  }
}
