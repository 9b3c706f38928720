// SPDX-License-Identifier: Apache-2.0
// A storage unit that no other can be faster than: the kernel throws the payload away where it
// arrives, nothing is copied, decoded or kept, and every request is answered as done. What an
// unmodified client reaches with it is what the client itself is able to (docs/performance.md).
//
//   sink INFO_FILE        serves one unit until it is killed
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "transfer_queue/endpoint.h"
#include "wire/messages.h"
#include "wire/pack.h"
#include "zmtp/frame_header.h"
#include "zmtp/frame_writer.h"
#include "zmtp/handshake.h"
#include "zmtp/tcp.h"

namespace {

using namespace tq;

constexpr const char* kId = "TQ_STORAGE_UNIT_sink";

struct PeerGone {};

class Connection {
 public:
  explicit Connection(zmtp::Descriptor socket) : socket_(std::move(socket)) {}

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
  // The header frame of the next message; its other frames are thrown away.
  std::string read_request() {
    zmtp::FrameHeader frame = read_header();
    std::string header = read(frame.size);
    while (frame.more) {
      frame = read_header();
      receive(nullptr, frame.size, MSG_TRUNC);
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
};

void serve(zmtp::Descriptor socket) {
  try {
    Connection(std::move(socket)).serve();
  } catch (const PeerGone&) {
  } catch (const std::exception& error) {
    fmt::print(stderr, "sink: {}\n", error.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: sink INFO_FILE\n");
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
    if (socket.is_open()) std::thread(serve, std::move(socket)).detach();
  }
}
