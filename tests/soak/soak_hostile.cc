// SPDX-License-Identifier: Apache-2.0
// The soak's hostile peer. Each line "burst MESSAGES SEED" on standard input makes it send so many
// mutants of recorded requests to all nodes, by libzmq, and say how many got their one reply.
//
// A mutant may be a good request to put or clear whatever index it names; so this program registers
// the small indexes first, which mutants name, and workers get larger ones.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>
#include <zmq.hpp>

#include "faults/hostile_dealer.h"
#include "faults/mutator.h"
#include "faults/recorded_requests.h"
#include "transfer_queue/client.h"

namespace tq::test {
namespace {

constexpr size_t kBallastPartitions = 5, kBallastOfPartition = 65'536;
constexpr int kReplyWithinMs = 20'000;  // on a busy machine
constexpr size_t kUnansweredMax = 50;

void register_small_indexes(const std::string& info_dir) {
  TransferQueueClient client(Nodes::read(info_dir));
  GetMetaOptions insert;
  insert.mode = GetMetaMode::kInsert;
  for (size_t i = 0; i < kBallastPartitions; ++i) {
    client.get_meta({"none"}, kBallastOfPartition, fmt::format("ballast-{}", i), insert);
  }
}

// Each false when a reply did not come.
bool send_one(HostileDealer& dealer) {
  dealer.send_one();
  return dealer.unanswered() <= kUnansweredMax || dealer.take_reply();
}
bool take_rest(HostileDealer& dealer) {
  while (dealer.unanswered() > 0) {
    if (!dealer.take_reply()) return false;
  }
  return true;
}

class Hostile {
 public:
  explicit Hostile(std::string info_dir)
      : info_dir_(std::move(info_dir)),
        to_controller_(recorded_requests(NodeKind::kController)),
        to_unit_(recorded_requests(NodeKind::kUnit)) {}

  nlohmann::json burst(size_t messages, uint64_t seed) {
    const Nodes nodes = Nodes::read(info_dir_);
    const std::string marker = info_dir_ + "/executed";
    std::vector<std::unique_ptr<HostileDealer>> attackers;
    const auto add = [&](const ServerInfo& node, const char* socket, const auto& recorded) {
      attackers.push_back(std::make_unique<HostileDealer>(
          context_, node.endpoint(socket), Mutator(seed + attackers.size(), recorded, marker),
          kReplyWithinMs));
    };
    add(nodes.controller, "request_handle_socket", to_controller_);
    add(nodes.controller, "data_status_update_socket", to_controller_);
    for (const ServerInfo& unit : nodes.storage_units) add(unit, "put_get_socket", to_unit_);
    bool is_answered = true;
    for (size_t i = 0; i < messages && is_answered; ++i) {
      is_answered = send_one(*attackers[i % attackers.size()]);
    }
    size_t unanswered = 0;
    for (const auto& attacker : attackers) {
      if (!take_rest(*attacker)) unanswered += attacker->unanswered();
    }
    return {{"kind", "burst"},
            {"messages", messages},
            {"unanswered", unanswered},
            {"executed", std::filesystem::exists(marker)}};
  }

 private:
  zmq::context_t context_;
  const std::string info_dir_;
  const std::vector<Mutator::Message> to_controller_, to_unit_;
};

}  // namespace
}  // namespace tq::test

int main(int argc, char** argv) {
  std::string info_dir;
  CLI::App app("The hostile peer of tests/soak/soak.");
  app.add_option("--info-dir", info_dir, "Folder with the nodes' addresses")->required();
  CLI11_PARSE(app, argc, argv);
  tq::test::register_small_indexes(info_dir);
  tq::test::Hostile hostile(info_dir);
  std::cout << R"({"kind": "ready"})" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    size_t messages = 0;
    uint64_t seed = 0;
    words >> command >> messages >> seed;
    if (command == "stop") break;
    if (command == "burst") std::cout << hostile.burst(messages, seed).dump() << std::endl;
  }
  return 0;
}
