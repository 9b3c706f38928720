// SPDX-License-Identifier: Apache-2.0
// Nodes::read: a folder of address files, in the order that all clients must share.
#include <unistd.h>

#include <fstream>

#include "support/catch.h"
#include "transfer_queue/client.h"

namespace tq::test {
namespace {

using Catch::Matchers::Contains;
namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "tq-nodes-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Folder() { fs::remove_all(path_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
  }
  void controller() const {
    write("controller.json", R"({"role": "TransferQueueController", "id": "C", "ip": "127.0.0.1",)"
                             R"( "ports": {"handshake_socket": 1}})");
  }
  // The id tells which file it came from.
  void unit(const std::string& number) const {
    write("storage-" + number + ".json", R"({"role": "TransferQueueStorage", "id": "unit )" +
                                             number +
                                             R"(", "ip": "::1", "ports": {"put_get_socket": 2}})");
  }
  Nodes read() const { return Nodes::read(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

TEST_CASE("units are read in the order of their numbers") {
  const Folder folder;
  folder.controller();
  for (int number = 11; number >= 0; --number) folder.unit(std::to_string(number));
  folder.write("storage-1.log", "not an address");
  folder.write("storage-x.json", "not a number");
  folder.write("storage--1.json", "not a number of a unit");
  folder.write("storage-2.json.Xa41Bc", "a file that is being written");
  folder.write("notes.json", "{}");
  const Nodes nodes = folder.read();
  CHECK(nodes.controller.id == "C");
  REQUIRE(nodes.storage_units.size() == 12);
  for (size_t i = 0; i < 12; ++i) CHECK(nodes.storage_units[i].id == "unit " + std::to_string(i));
  CHECK(nodes.storage_units[3].endpoint("put_get_socket") == "tcp://[::1]:2");
}

TEST_CASE("a folder that lacks an address is refused with the file's name") {
  const Folder folder;
  const std::string nowhere = folder.path() / "nowhere";
  CHECK_THROWS_WITH(Nodes::read(nowhere), Contains("tq up --info-dir " + nowhere));
  CHECK_THROWS_WITH(folder.read(), Contains("no controller.json") && Contains("tq up --info-dir"));
  folder.controller();
  CHECK_THROWS_WITH(folder.read(), Contains("storage-0.json"));
  folder.unit("1");
  CHECK_THROWS_WITH(folder.read(), Contains("storage-1.json") && Contains("no storage-0.json"));
  folder.unit("0");
  CHECK(folder.read().storage_units.size() == 2);
  folder.unit("3");  // with a gap, samples would be looked for at other units
  CHECK_THROWS_WITH(folder.read(), Contains("storage-3.json") && Contains("no storage-2.json"));
}

TEST_CASE("an address of another role, or none, is refused with the file's name") {
  const Folder folder;
  folder.controller();
  folder.unit("0");
  fs::copy_file(folder.path() / "controller.json", folder.path() / "storage-1.json");
  CHECK_THROWS_WITH(folder.read(),
                    Contains("storage-1.json") && Contains("TransferQueueController"));
  folder.write("storage-1.json", "{\"role\": 5");
  CHECK_THROWS_WITH(folder.read(), Contains("storage-1.json") && Contains("role"));
  fs::remove(folder.path() / "storage-1.json");
  fs::copy_file(folder.path() / "storage-0.json", folder.path() / "controller.json",
                fs::copy_options::overwrite_existing);
  CHECK_THROWS_WITH(folder.read(), Contains("controller.json") && Contains("TransferQueueStorage"));
}

}  // namespace
}  // namespace tq::test
