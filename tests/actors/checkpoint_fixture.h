// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "checkpoint/root.h"
#include "checkpoint/source.h"
#include "runtime/actor.h"
#include "runtime/whole_file.h"
#include "support/catch.h"

namespace tq::test {

/// A folder that ends with this object, and the checkpoint root that it is.
class CheckpointFolder {
 public:
  CheckpointFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tq-test-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = std::filesystem::canonical(pattern);
    root_ = std::make_shared<const checkpoint::Root>(path_);
  }
  ~CheckpointFolder() { std::filesystem::remove_all(path_); }
  CheckpointFolder(const CheckpointFolder&) = delete;
  CheckpointFolder& operator=(const CheckpointFolder&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::string bytes_of(const std::string& name) const { return runtime::read_file(path_ / name); }
  const checkpoint::RootPointer& root() const noexcept { return root_; }

 private:
  std::filesystem::path path_;
  checkpoint::RootPointer root_;
};

/// What the event loop does with a job, on one thread; a reply that came at once is a reply too.
inline runtime::Reply finish(runtime::Outcome outcome) {
  if (auto* reply = std::get_if<runtime::Reply>(&outcome)) return std::move(*reply);
  auto* job = std::get_if<runtime::Job>(&outcome);
  REQUIRE(job != nullptr);
  return job->work()();
}

/// Calls look(bytes, what) with the file cut off at each byte, and with one bit of each byte
/// flipped; past the first `every_byte` bytes, at each 7th.
template <class Look>
void for_each_damage(const std::string& file, size_t every_byte, Look&& look) {
  for (size_t at = 0; at < file.size(); at += at < every_byte ? 1 : 7) {
    look(file.substr(0, at), "cut off at " + std::to_string(at));
    std::string damaged = file;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    look(damaged, "flipped at " + std::to_string(at));
  }
}

}  // namespace tq::test
