// SPDX-License-Identifier: Apache-2.0
// Who may include whom (docs/architecture.md, "Who may know whom"), and what the programs link.
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>

#include "support/catch.h"

namespace tq::test {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = TQ_SOURCE_DIR;

// A room and the rooms whose headers it may include, besides its own.
const std::map<std::string, std::set<std::string>> kMayKnow = {
    {"memory", {}},
    {"wire", {"memory"}},
    {"zmtp", {"memory"}},
    {"runtime", {"wire", "zmtp"}},
    {"checkpoint", {"memory", "wire", "runtime"}},
    {"controller", {"wire", "runtime", "checkpoint"}},
    {"ssd", {"runtime"}},
    {"storage", {"wire", "runtime", "checkpoint", "ssd"}},
    {"nodes", {"runtime", "checkpoint", "controller", "storage"}},
    {"manager", {"wire", "runtime", "zmtp"}},
    {"client", {"wire", "runtime", "manager"}},
    {"metrics", {"runtime", "manager", "wire"}},
    {"torch", {}},
    {"cli",
     {"memory", "wire", "runtime", "checkpoint", "ssd", "controller", "storage", "nodes", "manager",
      "client", "metrics", "torch", "zmtp"}},
};

std::vector<std::string> includes_of(const fs::path& file) {
  static const std::regex kInclude(R"(^\s*#\s*include\s*["<]([^">]+)[">])");
  std::vector<std::string> includes;
  std::ifstream stream(file);
  std::smatch match;
  for (std::string line; std::getline(stream, line);) {
    if (std::regex_search(line, match, kInclude)) includes.push_back(match[1]);
  }
  return includes;
}

// "wire" of "wire/slice.h"; nothing for <memory>, which is no room's.
std::string room_of(const std::string& include) {
  const size_t slash = include.find('/');
  return slash == std::string::npos ? "" : include.substr(0, slash);
}

bool is_source(const fs::path& file) {
  const std::string extension = file.extension().string();
  return extension == ".h" || extension == ".cc" || extension == ".def";
}

std::string output_of(const std::string& command) {
  std::string output;
  FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> buffer;
  while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) output += buffer.data();
  REQUIRE(::pclose(pipe) == 0);
  return output;
}

TEST_CASE("a room includes only the rooms it may know") {
  size_t arrows = 0;
  for (const auto& room : fs::directory_iterator(kRoot / "src")) {
    if (!room.is_directory()) continue;
    const std::string name = room.path().filename().string();
    INFO("src/" << name);
    REQUIRE(kMayKnow.contains(name));
    for (const auto& file : fs::recursive_directory_iterator(room)) {
      if (!is_source(file.path())) continue;
      for (const std::string& include : includes_of(file.path())) {
        const std::string target = room_of(include);
        if (!kMayKnow.contains(target) || target == name) continue;
        INFO(file.path().string() << " includes " << include);
        CHECK(kMayKnow.at(name).contains(target));
        ++arrows;
      }
    }
  }
  CHECK(arrows > 0);
}

TEST_CASE("handlers and state know no socket, no clock and no thread") {
  const std::set<std::string> forbidden = {"sys/socket.h",       "thread", "mutex", "atomic",
                                           "condition_variable", "future"};
  for (const std::string room : {"wire", "controller", "storage"}) {
    for (const auto& file : fs::recursive_directory_iterator(kRoot / "src" / room)) {
      if (!is_source(file.path())) continue;
      for (const std::string& include : includes_of(file.path())) {
        INFO(file.path().string() << " includes " << include);
        // Request ids are numbered by an atomic; it is the one exception.
        const bool request_ids = file.path().filename() == "pack.cc" && include == "atomic";
        CHECK((request_ids || !forbidden.contains(include)));
        CHECK((include.find("runtime/") != 0 || include == "runtime/actor.h"));
      }
    }
  }
}

TEST_CASE("no msgpack, fmt or internal header leaks through a public header") {
  for (const auto& file : fs::recursive_directory_iterator(kRoot / "include")) {
    if (!is_source(file.path())) continue;
    for (const std::string& include : includes_of(file.path())) {
      INFO(file.path().string() << " includes " << include);
      CHECK(include.find("msgpack") == std::string::npos);
      CHECK(include.find("fmt/") == std::string::npos);  // libtorch brings another version of it
      const bool torch = include.find("torch/") == 0;    // libtorch's: our room has no header
      CHECK((torch || !kMayKnow.contains(room_of(include))));
      CHECK((!torch || file.path().filename() == "torch.h"));
    }
  }
}

TEST_CASE("the program links no libtorch") {
  const std::string libraries = output_of("readelf -d " TQ_PROGRAM " | grep NEEDED");
  CHECK(libraries.find("libc.so") != std::string::npos);
  CHECK(libraries.find("torch") == std::string::npos);
  CHECK(libraries.find("libc10") == std::string::npos);
}

TEST_CASE("only the files that include libtorch are compiled with its flags") {
  size_t with_torch = 0;
  std::ifstream commands(TQ_COMPILE_COMMANDS);
  for (const auto& entry : nlohmann::json::parse(commands)) {
    const bool flags =
        entry.at("command").get<std::string>().find("torch/csrc/api") != std::string::npos;
    const fs::path file = fs::relative(entry.at("file").get<std::string>(), kRoot);
    INFO(file.string());
    const std::string folder = file.parent_path().string();
    const bool allowed = folder == "src/torch" || folder == "tests/torch" || folder == "tutorial" ||
                         folder == "tests/support";  // linked into the tests of tests/torch
    CHECK((!flags || allowed));
    if (flags && folder == "src/torch") ++with_torch;
    for (const std::string& include :
         flags ? includes_of(kRoot / file) : std::vector<std::string>{}) {
      CHECK(include.rfind("fmt/", 0) != 0);
    }
  }
  CHECK(with_torch == TQ_WITH_TORCH);
}

}  // namespace
}  // namespace tq::test
