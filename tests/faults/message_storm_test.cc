// SPDX-License-Identifier: Apache-2.0
// 100,000 hostile messages to running nodes, by libzmq: each gets exactly one reply, nothing in
// them is run, the nodes' memory stays within its limit, and a client works afterwards. The seed is
// printed; TQ_STORM_SEED repeats a run, TQ_STORM_MESSAGES makes it longer or shorter.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <zmq.hpp>

#include "faults/hostile_dealer.h"
#include "faults/mutator.h"
#include "faults/recorded_requests.h"
#include "support/catch.h"
#include "support/up_nodes.h"
#include "transfer_queue/client.h"
#include "transfer_queue/kv.h"
#include "wire/decode.h"
#include "wire/messages.h"

namespace tq::test {
namespace {

#ifdef NDEBUG
constexpr size_t kMessages = 100'000;
constexpr size_t kMemoryKibMax = 400 << 10;  // the process of both nodes, at its peak
#else
constexpr size_t kMessages = 6'000;  // under sanitizers, whose memory is their own
constexpr size_t kMemoryKibMax = 4 << 20;
#endif
constexpr size_t kUnansweredMax = 100;
constexpr std::chrono::milliseconds kReplyWithin{60'000};  // on the busiest machine

uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

size_t peak_memory_kib(pid_t process) {
  std::ifstream status(fmt::format("/proc/{}/status", process));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6));
  }
  return 0;
}

// A peer that sends what it is given, and takes replies.
class Peer {
 public:
  Peer(zmq::context_t& context, const std::string& endpoint, Mutator mutator)
      : dealer_(context, endpoint, std::move(mutator), static_cast<int>(kReplyWithin.count())) {}

  void send_one() {
    dealer_.send_one();
    while (dealer_.unanswered() > kUnansweredMax) take_reply();
  }

  void take_rest() {
    while (dealer_.unanswered() > 0) take_reply();
  }

  // What comes beyond one reply a request. All requests were answered, so it would be here already.
  bool has_more() { return dealer_.has_more(); }

  size_t errors() const { return errors_; }
  size_t served() const { return served_; }

 private:
  void take_reply() {
    const auto received = dealer_.take_reply();
    if (!received) FAIL("a request got no reply");
    wire::Frames frames;
    for (const zmq::message_t& frame : *received) {
      frames.push_back(wire::Slice::copy_of(frame.to_string_view()));
    }
    Result<wire::Envelope> reply = wire::decode(frames, wire::Limits{});
    if (!reply) FAIL(fmt::format("a reply cannot be decoded: {}", reply.error().what()));
    bool is_known = false;
    wire::Replies::for_each(
        [&]<class Message>() { is_known = is_known || reply->request_type == Message::kType; });
    if (!is_known) FAIL("a reply of type " + reply->request_type);
    const bool is_error = reply->request_type.find("ERROR") != std::string::npos;
    ++(is_error ? errors_ : served_);
  }

  HostileDealer dealer_;
  size_t errors_ = 0, served_ = 0;
};

void check_client_works(const std::filesystem::path& folder) {
  TransferQueueClient client(Nodes::read(folder));
  const std::vector<std::string> keys = {"after", "the", "storm"};
  const int64_t numbers[] = {1, 2, 3};
  const std::string_view bytes(reinterpret_cast<const char*>(numbers), sizeof numbers);
  const Tensor tensor{DType::int64, {3, 1}, Slice::copy_of(bytes)};
  kv_batch_put(client, keys, "storm", {{"number", Column::dense(tensor)}});
  const Batch got = kv_batch_get(client, keys, "storm", {"number"});
  CHECK(got.at("number").tensor().data.view() == bytes);
}

TEST_CASE("nodes answer each hostile message once, run none, and go on serving") {
  const uint64_t seed = number_from("TQ_STORM_SEED", std::random_device{}());
  const size_t messages = number_from("TQ_STORM_MESSAGES", kMessages);
  fmt::print("TQ_STORM_SEED={}\n", seed);
  UpNodes nodes(TQ_PROGRAM, {"--polling", "--capacity-bytes", "64MiB", "--limit", "rows_max=4096",
                             "--limit", "header_bytes_max=4MiB", "--log-level", "error"});
  const std::string marker = nodes.folder() / "executed";
  zmq::context_t context;
  std::vector<std::unique_ptr<Peer>> peers;
  const auto add = [&](const char* file, const char* socket, bool storage) {
    const std::string endpoint = ServerInfo::read(nodes.folder() / file).endpoint(socket);
    peers.push_back(std::make_unique<Peer>(
        context, endpoint,
        Mutator(seed + peers.size(),
                recorded_requests(storage ? NodeKind::kUnit : NodeKind::kController), marker)));
  };
  for (const char* unit : {"storage-0.json", "storage-1.json"}) add(unit, "put_get_socket", true);
  for (const char* socket :
       {"request_handle_socket", "handshake_socket", "data_status_update_socket"}) {
    add("controller.json", socket, false);
  }

  for (size_t i = 0; i < messages; ++i) peers[i % peers.size()]->send_one();
  size_t errors = 0;
  size_t served = 0;
  for (const auto& peer : peers) {
    peer->take_rest();
    errors += peer->errors();
    served += peer->served();
  }
  CHECK(errors + served == messages);
  CHECK(errors > messages / 10);  // else they were no mutants,
  CHECK(served > messages / 10);  // or never got past the decoder
  const size_t memory_kib = peak_memory_kib(nodes.process());
  fmt::print("{} messages: {} served, {} refused, peak memory {} MiB\n", messages, served, errors,
             memory_kib >> 10);
  CHECK(memory_kib > 0);
  CHECK(memory_kib < kMemoryKibMax);
  CHECK_FALSE(std::filesystem::exists(marker));
  check_client_works(nodes.folder());
  for (const auto& peer : peers) CHECK_FALSE(peer->has_more());
  CHECK(nodes.stop() == 0);
}

}  // namespace
}  // namespace tq::test
