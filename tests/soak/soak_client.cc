// SPDX-License-Identifier: Apache-2.0
// A worker of the soak with the C++ client: its threads share one client, put, get, list, fetch and
// clear, and check what they get. tests/soak/soak starts, paces, kills and judges it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <thread>
#include <vector>

#include "soak/roles.h"

namespace {

using Role = void (*)(tq::soak::Session&, uint64_t);

void run(tq::soak::Session& session, uint64_t seed, int heir_of) {
  const std::vector<Role> roles = {tq::soak::work_on_keys, tq::soak::produce, tq::soak::consume};
  std::vector<std::thread> threads;
  threads.emplace_back([&session] { session.serve_input(); });
  if (heir_of >= 0) tq::soak::inherit(session, heir_of);
  for (const Role role : roles) {
    threads.emplace_back([&session, role, seed, i = threads.size()] {
      try {
        role(session, seed * 8 + i);
      } catch (
          const std::exception& error) {  // all that a client throws is a tq::Error, caught there
        session.violation(std::string("not an Error of the client: ") + error.what());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

int main(int argc, char** argv) {
  tq::soak::Settings settings;
  uint64_t seed = 1;
  int deadline_ms = 2000, heir_of = -1;
  bool clears_all = false;
  CLI::App app("A worker of tests/soak/soak with the C++ client.");
  app.add_option("--info-dir", settings.info_dir, "Folder with the nodes' addresses")->required();
  app.add_option("--number", settings.number, "Of this worker; it names what it puts by it");
  app.add_option("--seed", seed, "Decides what it does");
  app.add_option("--deadline-ms", deadline_ms, "ClientOptions::deadline");
  app.add_option("--heir-of", heir_of, "Clear first what the worker of this number left");
  app.add_flag("--clear-all", clears_all, "Only clear all partitions, and end");
  CLI11_PARSE(app, argc, argv);
  settings.deadline = std::chrono::milliseconds(deadline_ms);
  tq::soak::Session session(settings);
  if (clears_all) {
    tq::soak::clear_all(session);
  } else {
    run(session, seed, heir_of);
  }
  session.say_counts();
  return 0;
}
