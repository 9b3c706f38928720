// SPDX-License-Identifier: Apache-2.0
// What bare libzmq moves over loopback TCP: two connections to two processes, 800 MB each a run,
// zero-copy send, all frames kept until the end as a storage unit would. The limit that PUT and GET
// are measured against.
//
//   zmq_limit FRAME_KIB
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kBytesPerUnit = 800u << 20;
constexpr int kUnits = 2;
constexpr int kRuns = 7;

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void keep(void*, void*) {}  // the sender's buffer outlives all messages

void no_high_water_mark(void* socket) {
  const int unlimited = 0;
  zmq_setsockopt(socket, ZMQ_RCVHWM, &unlimited, sizeof unlimited);
  zmq_setsockopt(socket, ZMQ_SNDHWM, &unlimited, sizeof unlimited);
}

[[noreturn]] void receive_runs(int endpoint_fd) {
  void* context = zmq_ctx_new();
  void* socket = zmq_socket(context, ZMQ_ROUTER);
  no_high_water_mark(socket);
  if (zmq_bind(socket, "tcp://127.0.0.1:*") != 0) _exit(1);
  char endpoint[64] = {};
  std::size_t length = sizeof endpoint;
  zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &length);
  if (write(endpoint_fd, endpoint, sizeof endpoint) != sizeof endpoint) _exit(1);
  for (int run = 0; run < kRuns; ++run) {
    std::vector<zmq_msg_t> frames;
    frames.reserve(1 << 15);  // a zmq_msg_t must not move
    do {
      zmq_msg_init(&frames.emplace_back());
      zmq_msg_recv(&frames.back(), socket, 0);
    } while (zmq_msg_more(&frames.back()));
    zmq_msg_t identity;
    zmq_msg_init(&identity);
    zmq_msg_copy(&identity, &frames.front());
    zmq_msg_send(&identity, socket, ZMQ_SNDMORE);
    zmq_send(socket, "ok", 2, 0);
    for (auto& frame : frames) zmq_msg_close(&frame);
  }
  int wait_for_close = 0;
  zmq_msg_t end;
  zmq_msg_init(&end);
  zmq_setsockopt(socket, ZMQ_RCVTIMEO, &(wait_for_close = 500), sizeof wait_for_close);
  zmq_msg_recv(&end, socket, 0);
  _exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: %s FRAME_KIB\n", argv[0]), 2;
  const std::size_t frame_bytes = std::strtoul(argv[1], nullptr, 10) << 10;
  if (frame_bytes == 0 || frame_bytes > kBytesPerUnit ||
      kBytesPerUnit / frame_bytes + 2 > (1u << 15)) {
    return std::fprintf(stderr, "FRAME_KIB must lie between 32 and %zu\n", kBytesPerUnit >> 10), 2;
  }
  const std::size_t frames = kBytesPerUnit / frame_bytes;
  pid_t children[kUnits];
  std::string endpoints[kUnits];
  for (int unit = 0; unit < kUnits; ++unit) {
    int ready[2];
    if (pipe(ready) != 0) return 1;
    children[unit] = fork();
    if (children[unit] == 0) receive_runs(ready[1]);
    char endpoint[64] = {};
    if (read(ready[0], endpoint, sizeof endpoint) != sizeof endpoint) return 1;
    endpoints[unit] = endpoint;
  }
  auto* data = static_cast<char*>(mmap(nullptr, kBytesPerUnit * kUnits, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  madvise(data, kBytesPerUnit * kUnits, MADV_HUGEPAGE);
  std::memset(data, 1, kBytesPerUnit * kUnits);
  void* context = zmq_ctx_new();
  zmq_ctx_set(context, ZMQ_IO_THREADS, kUnits);
  void* sockets[kUnits];
  for (int unit = 0; unit < kUnits; ++unit) {
    sockets[unit] = zmq_socket(context, ZMQ_DEALER);
    no_high_water_mark(sockets[unit]);
    zmq_connect(sockets[unit], endpoints[unit].c_str());
  }
  std::vector<double> seconds;
  for (int run = 0; run < kRuns; ++run) {
    const double start = seconds_now();
    for (int unit = 0; unit < kUnits; ++unit) {
      for (std::size_t i = 0; i < frames; ++i) {
        zmq_msg_t frame;
        zmq_msg_init_data(&frame, data + unit * kBytesPerUnit + i * frame_bytes, frame_bytes, keep,
                          nullptr);
        zmq_msg_send(&frame, sockets[unit], i + 1 < frames ? ZMQ_SNDMORE : 0);
      }
    }
    char answer[8];
    for (void* socket : sockets) zmq_recv(socket, answer, sizeof answer, 0);
    seconds.push_back(seconds_now() - start);
  }
  const double gbit = static_cast<double>(frames * frame_bytes) * kUnits * 8 / 1e9;
  const double first = seconds.front();
  std::sort(seconds.begin() + 1, seconds.end());
  std::printf("frame %zu KiB: first run %.1f, median of the rest %.1f Gbit/s\n", frame_bytes >> 10,
              gbit / first, gbit / seconds[1 + (kRuns - 1) / 2]);
  for (int unit = 0; unit < kUnits; ++unit) {
    zmq_close(sockets[unit]);
    waitpid(children[unit], nullptr, 0);
  }
  zmq_ctx_term(context);
}
