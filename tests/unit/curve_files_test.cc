// SPDX-License-Identifier: Apache-2.0
// Files of keys: what is written, who may read it, and what is refused with which words.
#include "runtime/curve_files.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "runtime/whole_file.h"
#include "support/catch.h"
#include "transfer_queue/error.h"

namespace tq::test {
namespace {

using Catch::Matchers::Contains;
using namespace runtime;
namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string name = fs::temp_directory_path() / "tq_keys_XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { fs::remove_all(path_); }
  fs::path operator/(const char* name) const { return path_ / name; }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void write(const fs::path& file, std::string_view text, fs::perms mode = fs::perms(0600)) {
  std::ofstream(file, std::ios::binary) << text;
  fs::permissions(file, mode);
}

template <class Work>
std::string refusal(Work work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("a key pair is read as it was written, and only its owner may read it") {
  const Folder folder;
  const auto pair = zmtp::CurveKeyPair::generate();
  write_curve_files(folder / "key", pair, false);
  CHECK(fs::status(folder / "key").permissions() == fs::perms(0600));
  CHECK(fs::status(folder / "key.pub").permissions() == fs::perms(0644));
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 2);
  const auto read = read_curve_pair(folder / "key");
  CHECK(read.public_key == pair.public_key);
  CHECK(read.secret_key.bytes == pair.secret_key.bytes);
  CHECK(read_curve_public_key(folder / "key.pub") == pair.public_key);
  CHECK(read_curve_clients(folder / "key.pub") == std::vector{pair.public_key});
}

TEST_CASE("a key that is there is replaced only on demand") {
  const Folder folder;
  const auto first = zmtp::CurveKeyPair::generate();
  write_curve_files(folder / "key", first, false);
  const auto second = zmtp::CurveKeyPair::generate();
  CHECK_THAT(refusal([&] { write_curve_files(folder / "key", second, false); }),
             Contains("is there already") && Contains("--force"));
  fs::remove(folder / "key");
  CHECK_THAT(refusal([&] { write_curve_files(folder / "key", second, false); }),
             Contains("key.pub"));
  CHECK_FALSE(fs::exists(folder / "key"));
  CHECK(read_curve_public_key(folder / "key.pub") == first.public_key);
  write_curve_files(folder / "key", second, true);
  CHECK(read_curve_pair(folder / "key").public_key == second.public_key);
  CHECK(read_curve_public_key(folder / "key.pub") == second.public_key);
}

TEST_CASE("a secret key that others may read is refused") {
  const Folder folder;
  write_curve_files(folder / "key", zmtp::CurveKeyPair::generate(), false);
  for (const unsigned mode : {0640U, 0604U, 0620U, 0602U, 0644U}) {
    fs::permissions(folder / "key", fs::perms(mode));
    CHECK_THAT(refusal([&] { read_curve_pair(folder / "key"); }),
               Contains("others than its owner") && Contains("chmod 600"));
  }
  fs::permissions(folder / "key", fs::perms(0400));
  CHECK(refusal([&] { read_curve_pair(folder / "key"); }) == "");
}

TEST_CASE("what is no file of a key is told in one sentence that quotes no secret") {
  const Folder folder;
  write_curve_files(folder / "key", zmtp::CurveKeyPair::generate(), false);
  const std::string good = read_file(folder / "key");
  const std::string secret = good.substr(good.find("secret ") + 7, 40);
  const auto pair_refusal = [&](const std::string& text) {
    write(folder / "bad", text);
    const std::string said = refusal([&] { read_curve_pair(folder / "bad"); });
    CHECK(said.find(secret.substr(0, 10)) == std::string::npos);
    CHECK(said.find('\n') == std::string::npos);
    return said;
  };
  CHECK_THAT(pair_refusal(""), Contains("no file of a secret key") && Contains("tq keygen"));
  CHECK_THAT(pair_refusal(std::string(10'000, 'x')), Contains("no file of a secret key"));
  CHECK_THAT(pair_refusal(good.substr(0, good.size() - 5)), Contains("no file of a secret key"));
  CHECK_THAT(pair_refusal(read_file(folder / "key.pub")), Contains("no file of a secret key"));
  std::string changed = good;
  changed[changed.find("public ") + 7] ^= 1;
  CHECK_THAT(pair_refusal(changed), Contains("not that of its secret one") || Contains("no file"));
  CHECK_THAT(refusal([&] { read_curve_pair(folder / "none"); }),
             Contains("cannot read") && Contains("tq keygen"));
  CHECK_THAT(refusal([&] { read_curve_pair(folder.path()); }), Contains("no file"));
  const std::string wrong_file = refusal([&] { read_curve_public_key(folder / "key"); });
  CHECK_THAT(wrong_file, Contains("secret key") && Contains(".pub"));
  CHECK(wrong_file.find(secret.substr(0, 10)) == std::string::npos);
}

TEST_CASE("clients are named by lines of a file or files of a folder") {
  const Folder folder;
  std::vector<zmtp::CurvePublicKey> keys;
  std::string lines = "# who may come in\n\n";
  for (const char* name : {"a", "b", "c"}) {
    keys.push_back(zmtp::CurveKeyPair::generate().public_key);
    const std::string text = zmtp::curve_key_text(keys.back());
    lines += "# " + std::string(name) + "\r\n" + text + " \r\n";
    write(folder / (std::string(name) + ".pub").c_str(), text);
  }
  write(folder / "others.txt", "no key");
  write(folder / "clients", lines);
  CHECK(read_curve_clients(folder / "clients") == keys);
  auto found = read_curve_clients(folder.path());
  std::sort(found.begin(), found.end());
  std::sort(keys.begin(), keys.end());
  CHECK(found == keys);
  CHECK_THAT(refusal([&] { read_curve_public_key(folder / "clients"); }), Contains("several"));
  CHECK_THAT(refusal([&] { read_curve_clients(folder / "others.txt"); }),
             Contains("others.txt") && Contains("no public key"));
  write(folder / "clients", "# nobody\n");
  CHECK_THAT(refusal([&] { read_curve_clients(folder / "clients"); }), Contains("no public key"));
  const Folder empty;
  CHECK_THAT(refusal([&] { read_curve_clients(empty.path()); }), Contains(".pub"));
}

TEST_CASE("a setting of keys alone is refused, for the other one was forgotten") {
  const Folder folder;
  write_curve_files(folder / "key", zmtp::CurveKeyPair::generate(), false);
  const fs::path key = folder / "key";
  CHECK(node_curve({"--curve-key", ""}, {"--curve-clients", ""}) == nullptr);
  CHECK(client_curve({"--curve-key", ""}, {"--curve-server-key", ""}) == nullptr);
  CHECK_THAT(refusal([&] {
               node_curve({"--curve-key", key}, {"--curve-clients", ""});
             }),
             Contains("--curve-key needs --curve-clients"));
  CHECK_THAT(refusal([&] {
               node_curve({"--curve-key", ""}, {"--curve-clients", key});
             }),
             Contains("--curve-clients needs --curve-key"));
  CHECK_THAT(refusal([&] {
               client_curve({"--curve-key", key}, {"--curve-server-key", ""});
             }),
             Contains("--curve-key needs --curve-server-key"));
}

}  // namespace
}  // namespace tq::test
