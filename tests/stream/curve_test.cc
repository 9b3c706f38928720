// SPDX-License-Identifier: Apache-2.0
// The client of a program on nodes with keys: it puts, gets and streams as on others; without its
// key it is told what to give.
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "stream/samples.h"
#include "support/catch.h"
#include "support/up_nodes.h"

namespace tq::test {
namespace {

using Catch::Matchers::Contains;
namespace fs = std::filesystem;

/// Nodes with keys, and two clients' keys of which the nodes know one.
class KeyedNodes {
 public:
  KeyedNodes() {
    for (const char* name : {"nodes", "trainer", "stranger"}) {
      const std::string command =
          std::string(TQ_PROGRAM) + " keygen " + (folder_.path / name).string() + " >&2";
      REQUIRE(std::system(command.c_str()) == 0);
    }
    nodes_.emplace(TQ_PROGRAM,
                   std::vector<std::string>{"--curve-key", folder_.path / "nodes",
                                            "--curve-clients", folder_.path / "trainer.pub"});
  }
  Nodes addresses() const { return Nodes::read(nodes_->folder()); }
  ClientOptions as(const char* name) const {
    ClientOptions options;
    options.curve = {folder_.path / name, folder_.path / "nodes.pub"};
    return options;
  }

 private:
  struct Folder {
    Folder() {
      std::string name = fs::temp_directory_path() / "tq_keys_XXXXXX";
      REQUIRE(::mkdtemp(name.data()) != nullptr);
      path = name;
    }
    ~Folder() { fs::remove_all(path); }
    fs::path path;
  };
  Folder folder_;
  std::optional<UpNodes> nodes_;
};

std::string refusal(const Nodes& nodes, const ClientOptions& options) {
  try {
    TransferQueueClient client(nodes, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("a client with keys puts, gets and streams on nodes with keys") {
  const KeyedNodes nodes;
  TransferQueueClient client(nodes.addresses(), nodes.as("trainer"));
  const BatchMeta meta = put(client, counted(100'000));
  CHECK((numbers_of(client.get_data(meta, {"x"})) == counted(100'000)));
  client.clear_partition("train");
  put(client, counted(8));
  StreamingDatasetOptions options = read_x();
  options.client = nodes.as("trainer");
  StreamingDataset dataset(nodes.addresses(), options);
  CHECK(joined(epoch_of(dataset)) == counted(8));
}

TEST_CASE("a client that nodes with keys do not know is told why") {
  const KeyedNodes nodes;
  CHECK_THAT(refusal(nodes.addresses(), {}), Contains("CURVE") && Contains("ClientOptions::curve"));
  CHECK_THAT(refusal(nodes.addresses(), nodes.as("stranger")), Contains("may connect"));
  ClientOptions half = nodes.as("trainer");
  half.curve.server_key_file.clear();
  CHECK_THAT(refusal(nodes.addresses(), half), Contains("needs --curve-server-key"));
}

TEST_CASE("the environment may name a client's keys") {
  const KeyedNodes nodes;
  const CurveOptions keys = nodes.as("trainer").curve;
  ::setenv("TQ_CURVE_KEY", keys.key_file.c_str(), 1);
  ::setenv("TQ_CURVE_SERVER_KEY", keys.server_key_file.c_str(), 1);
  ClientOptions options;
  options.curve = CurveOptions::from_environment();
  ::unsetenv("TQ_CURVE_KEY");
  ::unsetenv("TQ_CURVE_SERVER_KEY");
  CHECK(refusal(nodes.addresses(), options) == "");
  CHECK(CurveOptions::from_environment().key_file.empty());
}

}  // namespace
}  // namespace tq::test
