// SPDX-License-Identifier: Apache-2.0
// The folder of rows on an SSD: its name, what it refuses, and that nothing is left behind.
#include "ssd/folder.h"

#include "actors/ssd_fixture.h"
#include "transfer_queue/error.h"

namespace tq::test {
namespace {

namespace fs = std::filesystem;
using storage::StorageUnit;

std::string refusal(const storage::StorageConfig& config) {
  try {
    const StorageUnit unit(config);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

void put_large(StorageUnit& unit) {
  REQUIRE(ask_put(unit, {1}, {{"x", wire::Array{bytes_tensor(5000)}}}).type() ==
          "PUT_DATA_RESPONSE");
}

TEST_CASE("ssd folder: it is named as upstream's, one a unit, and goes with the unit") {
  const CheckpointFolder folder;
  const fs::path root = folder.path() / "ssd/transfer_queue_ssd_offload";
  {
    StorageUnit unit(on_ssd(folder, 4096));
    StorageUnit other(on_ssd(folder, 4096));
    put_large(unit);
    put_large(other);
    const fs::path run = segments(folder).at(0).parent_path().parent_path();
    CHECK(run.parent_path() == root);
    CHECK(run.filename().string().size() == 32);
    CHECK(fs::exists(run / unit.id()));
    CHECK(fs::exists(run / other.id()));
    CHECK(fs::status(run).permissions() == fs::perms::owner_all);
  }
  CHECK(fs::is_empty(root));
}

TEST_CASE("ssd folder: links and files in its place are refused, a link to the folder is not") {
  const CheckpointFolder folder;
  fs::create_directories(folder.path() / "elsewhere");
  fs::create_directories(folder.path() / "ssd");
  const fs::path root = folder.path() / "ssd/transfer_queue_ssd_offload";
  fs::create_directory_symlink(folder.path() / "elsewhere", root);
  CHECK(refusal(on_ssd(folder, 4096)).find("must be a folder, not a link") != std::string::npos);
  CHECK(fs::is_empty(folder.path() / "elsewhere"));
  fs::remove(root);
  runtime::write_file(root, "");
  CHECK(refusal(on_ssd(folder, 4096)).find(root.string()) != std::string::npos);
  fs::remove_all(folder.path() / "ssd");
  runtime::write_file(folder.path() / "ssd", "");
  CHECK(refusal(on_ssd(folder, 4096)).find("is no folder") != std::string::npos);
  fs::remove(folder.path() / "ssd");
  fs::create_directory_symlink(folder.path() / "elsewhere", folder.path() / "ssd");
  StorageUnit unit(on_ssd(folder, 4096));
  put_large(unit);
  CHECK(fs::exists(folder.path() / "elsewhere/transfer_queue_ssd_offload"));
}

TEST_CASE("ssd folder: a link in the place of a file is not followed") {
  const CheckpointFolder folder;
  StorageUnit unit(on_ssd(folder, 4096));
  put_large(unit);
  const fs::path file = segments(folder).at(0);
  fs::rename(file, folder.path() / "moved");
  fs::create_symlink(folder.path() / "moved", file);
  CHECK(ask_get(unit, {"x"}, {1}).says(file.string()));
}

TEST_CASE("ssd folder: what a dead process left is removed, what lives or is Python's is not") {
  const CheckpointFolder folder;
  const fs::path root = folder.path() / "ssd/transfer_queue_ssd_offload";
  fs::create_directories(root / "0123/TQ_STORAGE_UNIT_python/0a");
  runtime::write_file(root / "0123/TQ_STORAGE_UNIT_python/0a/0a12.bin", "rows");
  StorageUnit alive(on_ssd(folder, 4096));
  put_large(alive);
  const fs::path file = segments(folder).at(0);
  const fs::path dead = root / "dead/TQ_STORAGE_UNIT_1";
  fs::create_directories(dead);
  fs::copy(file, dead);
  fs::copy(file.parent_path() / "lock", dead);  // which nobody holds
  const StorageUnit next(on_ssd(folder, 4096));
  CHECK_FALSE(fs::exists(root / "dead"));
  CHECK(fs::exists(root / "0123/TQ_STORAGE_UNIT_python/0a/0a12.bin"));
  CHECK(ask_get(alive, {"x"}, {1}).type() == "GET_DATA_RESPONSE");
}

}  // namespace
}  // namespace tq::test
