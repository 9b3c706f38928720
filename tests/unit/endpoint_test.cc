// SPDX-License-Identifier: Apache-2.0
#include "transfer_queue/endpoint.h"

#include <unistd.h>

#include <fstream>

#include "runtime/bind_address.h"
#include "support/catch.h"

namespace tq::test {
namespace {

using Catch::Matchers::Contains;
using runtime::BindAddress;
namespace fs = std::filesystem;

// As tests/peer/peer_node.py writes it.
constexpr const char* kPythonRecord =
    R"({"role": "TransferQueueController", "id": "TQ_CONTROLLER_1a2b3c4d", "ip": "127.0.0.1", )"
    R"("ports": {"handshake_socket": 40001, "request_handle_socket": 40002}})";

/// A folder of its own, removed at the end.
struct TemporaryFolder {
  fs::path path;
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "tq-endpoint-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  ~TemporaryFolder() { fs::remove_all(path); }
};

TEST_CASE("an address that Python wrote is read") {
  const ServerInfo info = ServerInfo::from_json(kPythonRecord);
  CHECK(info.role == ServerInfo::kControllerRole);
  CHECK(info.id == "TQ_CONTROLLER_1a2b3c4d");
  CHECK(info.endpoint("request_handle_socket") == "tcp://127.0.0.1:40002");
  CHECK_THROWS_WITH(info.endpoint("put_get_socket"), Contains("put_get_socket"));
}

TEST_CASE("an address is written as Python reads it") {
  const ServerInfo info{"TransferQueueStorage", "TQ_STORAGE_1", "::1", {{"put_get_socket", 5555}}};
  CHECK(info.to_json() == R"({"role":"TransferQueueStorage","id":"TQ_STORAGE_1","ip":"::1",)"
                          R"("ports":{"put_get_socket":5555}})");
  CHECK(info.endpoint("put_get_socket") == "tcp://[::1]:5555");
}

TEST_CASE("what is no address is refused with what it must be") {
  for (const char* text :
       {"", "[]", "{}", "null", R"({"role": 1, "id": "i", "ip": "1.2.3.4", "ports": {}})",
        R"({"role": "r", "id": "i", "ip": "1.2.3.4", "ports": [1]})",
        R"({"role": "r", "id": "i", "ip": "1.2.3.4", "ports": {"s": "1"}})",
        R"({"role": "r", "id": "i", "ip": "1.2.3.4", "ports": {"s": 1.5}})",
        R"({"role": "r", "id": "i", "ip": "1.2.3.4", "ports": {"s": 0}})",
        R"({"role": "r", "id": "i", "ip": "1.2.3.4", "ports": {"s": 65536}})",
        R"({"role": "r", "id": "i", "ip": "1.2.3.4", "ports": {"s": 4294967297}})"}) {
    INFO(text);
    CHECK_THROWS_WITH(ServerInfo::from_json(text), Contains("role, id, ip and ports"));
  }
}

TEST_CASE("an address file is whole, readable by all, and alone in its folder") {
  const TemporaryFolder folder;
  const fs::path file = folder.path / "controller.json";
  const ServerInfo info = ServerInfo::from_json(kPythonRecord);
  info.write(file);
  info.write(file);  // over the one that is there
  CHECK(ServerInfo::read(file).to_json() == info.to_json());
  CHECK((fs::status(file).permissions() & fs::perms::others_read) != fs::perms::none);
  CHECK(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()) == 1);
}

TEST_CASE("a file that cannot be written or read is named with the reason") {
  const TemporaryFolder folder;
  const ServerInfo info = ServerInfo::from_json(kPythonRecord);
  CHECK_THROWS_WITH(info.write(folder.path / "none" / "c.json"),
                    Contains("none/c.json") && Contains("No such file"));
  fs::create_directory(folder.path / "taken.json");
  CHECK_THROWS_WITH(info.write(folder.path / "taken.json"), Contains("Is a directory"));
  CHECK(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()) == 1);
  CHECK_THROWS_WITH(ServerInfo::read(folder.path / "c.json"), Contains("No such file"));
  std::ofstream(folder.path / "c.json") << "{";
  CHECK_THROWS_WITH(ServerInfo::read(folder.path / "c.json"), Contains("c.json: "));
}

void check_address(const char* text, const char* host, int port) {
  INFO(text);
  const BindAddress address = BindAddress::parse(text);
  CHECK(address.host == host);
  CHECK(address.port == port);
}

TEST_CASE("all forms of an address to listen on") {
  check_address("127.0.0.1", "127.0.0.1", 0);
  check_address("10.0.0.1:5555", "10.0.0.1", 5555);
  check_address("localhost:1", "127.0.0.1", 1);
  check_address("*:65535", "0.0.0.0", 65535);
  check_address("::1", "::1", 0);
  check_address("[::1]", "::1", 0);
  check_address("[::1]:5555", "::1", 5555);
  check_address("[::]:0", "::", 0);
  CHECK(BindAddress::parse("*").is_wildcard());
  CHECK(BindAddress::parse("[::]:1").is_wildcard());
  CHECK(BindAddress::parse("0:0:0:0:0:0:0:0").is_wildcard());
  CHECK_FALSE(BindAddress::parse("127.0.0.1").is_wildcard());
  CHECK(BindAddress::parse("::1").is_ipv6());
  CHECK_FALSE(BindAddress::parse("0.0.0.0").is_ipv6());
}

TEST_CASE("what is no address to listen on is refused with the forms that are taken") {
  for (const char* text : {"", ":5555", "host", "host:1", "1.2.3", "1.2.3.4:", "1.2.3.4:x",
                           "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:+1", "1.2.3.4:1 ", "[::1",
                           "[::1]5555", "[::1]:", "::1::2", "fe80::1%eth0", "tcp://1.2.3.4:1"}) {
    INFO(text);
    CHECK_THROWS_WITH(BindAddress::parse(text), Contains("[::1]:5555"));
  }
}

}  // namespace
}  // namespace tq::test
