// SPDX-License-Identifier: Apache-2.0
#include "runtime/curve_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>

#include "runtime/atomic_file.h"
#include "runtime/whole_file.h"
#include "transfer_queue/error.h"
#include "zmtp/z85.h"

namespace tq::runtime {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPublic = "public ";
constexpr std::string_view kSecret = "secret ";
// A comment begins so; "#" alone may begin a key.
constexpr std::string_view kComment = "# ";
// Of a file of secrets: three lines.
constexpr size_t kPairBytesMax = 4096;

constexpr const char* kHowToMake = "'tq keygen FILE' makes one";

[[noreturn]] void fail(const fs::path& file, const std::string& why) {
  throw Error(ErrorCode::kInvalidArgument, fmt::format("{}: {}", file.string(), why));
}
[[noreturn]] void fail_to_read(const fs::path& file, int error) {
  throw Error(ErrorCode::kNotFound,
              fmt::format("cannot read {}: {}; {}", file.string(),
                          std::generic_category().message(error), kHowToMake));
}

/// A text that is overwritten when it is dropped.
struct SecretText {
  SecretText() = default;
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  ~SecretText() { zmtp::forget_secret(text); }
  std::string text;
};

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (!line.empty() && !line.starts_with(kComment) && line != "#") lines.push_back(line);
  }
  return lines;
}

void read_private(const fs::path& file, std::string& text) {
  const Descriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!opened.is_open()) fail_to_read(file, errno);
  struct stat status {};
  if (::fstat(opened.get(), &status) != 0) fail_to_read(file, errno);
  if (!S_ISREG(status.st_mode)) fail(file, "this is no file");
  if ((status.st_mode & 077) != 0) {
    fail(file, fmt::format("others than its owner may read or change this secret key (its mode is "
                           "{:04o}): chmod 600 it, and make a new one if somebody may have read it",
                           status.st_mode & 07777));
  }
  text.resize(kPairBytesMax);  // at once, so that no copy of it is left behind
  const ssize_t got = ::read(opened.get(), text.data(), text.size());
  if (got < 0) fail_to_read(file, errno);
  std::fill(text.begin() + got, text.end(), '\n');
}

std::vector<zmtp::CurvePublicKey> read_public_keys(const fs::path& file) {
  SecretText content;  // it may be the wrong file
  try {
    content.text = read_file(file);
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{}; {}", error.what(), kHowToMake));
  }
  std::vector<zmtp::CurvePublicKey> keys;
  for (const std::string_view line : lines_of(content.text)) {
    const auto key = zmtp::read_curve_key(line);
    if (line.starts_with(kSecret) || line.starts_with(kPublic)) {
      fail(file, "this is a file of a secret key; a public one is wanted, that of its .pub file");
    }
    if (!key)
      fail(file, fmt::format("a line of it is no public key of 40 characters; {}", kHowToMake));
    keys.push_back(*key);
  }
  if (keys.empty()) fail(file, "there is no public key in it");
  return keys;
}

/// A file that is written whole before it gets its name.
void write_new(const fs::path& file, std::string_view text, mode_t mode, bool replace) {
  const auto fail_to_write = [&](int error) {
    throw Error(ErrorCode::kUnavailable, fmt::format("cannot write {}: {}", file.string(),
                                                     std::generic_category().message(error)));
  };
  std::string temporary = file.string() + ".XXXXXX";
  const Descriptor opened(::mkostemp(temporary.data(), O_CLOEXEC));  // nobody else may read it
  if (!opened.is_open()) fail_to_write(errno);
  bool written =
      ::fchmod(opened.get(), mode) == 0 &&
      ::write(opened.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(opened.get()) == 0;
  written = written && (replace ? ::rename(temporary.c_str(), file.c_str())
                                : ::link(temporary.c_str(), file.c_str())) == 0;
  const int error = errno;
  ::unlink(temporary.c_str());
  if (!written) fail_to_write(error);
}

void require_both(const CurveSetting& one, const CurveSetting& other, const char* what) {
  if (one.path.empty() || !other.path.empty()) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{} needs {}: {}", one.name, other.name, what));
}

}  // namespace

fs::path public_key_file(const fs::path& file) { return file.string() + ".pub"; }

void write_curve_files(const fs::path& file, const zmtp::CurveKeyPair& pair, bool replace) {
  const fs::path public_file = public_key_file(file);
  for (const fs::path& path : {file, public_file}) {
    std::error_code ignored;
    if (replace || !fs::exists(fs::symlink_status(path, ignored))) continue;
    fail(path,
         "it is there already; take another name, or --force, which makes whoever was given "
         "the old key use a new one");
  }
  const std::string public_key = zmtp::curve_key_text(pair.public_key);
  SecretText secret;
  secret.text.reserve(kPairBytesMax);
  secret.text +=
      "# A secret key of TransferQueue: who reads this file can pretend to be its owner.\n";
  secret.text.append(kPublic).append(public_key).append("\n").append(kSecret);
  SecretText secret_key;
  secret_key.text = zmtp::to_z85(pair.secret_key.bytes);
  secret.text.append(secret_key.text).append("\n");
  write_new(file, secret.text, 0600, replace);
  write_new(public_file, "# A public key of TransferQueue.\n" + public_key + "\n", 0644, replace);
}

zmtp::CurveKeyPair read_curve_pair(const fs::path& file) {
  SecretText content;
  read_private(file, content.text);
  zmtp::CurveKeyPair pair;
  bool has_public = false;
  bool has_secret = false;
  for (const std::string_view line : lines_of(content.text)) {
    if (line.starts_with(kPublic)) {
      has_public = zmtp::from_z85(line.substr(kPublic.size()), pair.public_key);
    } else if (line.starts_with(kSecret)) {
      has_secret = zmtp::from_z85(line.substr(kSecret.size()), pair.secret_key.bytes);
    }
  }
  if (!has_public || !has_secret) {
    fail(file, fmt::format("this is no file of a secret key; {}", kHowToMake));
  }
  if (!pair.belongs_together()) {
    fail(file, fmt::format("its public key is not that of its secret one; {}", kHowToMake));
  }
  return pair;
}

zmtp::CurvePublicKey read_curve_public_key(const fs::path& file) {
  const std::vector<zmtp::CurvePublicKey> keys = read_public_keys(file);
  if (keys.size() > 1) fail(file, "it holds several public keys; one is wanted, the nodes'");
  return keys.front();
}

std::vector<zmtp::CurvePublicKey> read_curve_clients(const fs::path& file_or_folder) {
  std::error_code error;
  if (!fs::is_directory(file_or_folder, error)) return read_public_keys(file_or_folder);
  std::vector<zmtp::CurvePublicKey> keys;
  for (const auto& entry : fs::directory_iterator(file_or_folder, error)) {
    if (entry.path().extension() != ".pub") continue;
    for (const zmtp::CurvePublicKey& key : read_public_keys(entry.path())) keys.push_back(key);
  }
  if (error) fail_to_read(file_or_folder, error.value());
  if (keys.empty()) fail(file_or_folder, "no file of this folder ends with .pub");
  return keys;
}

zmtp::CurvePointer node_curve(const CurveSetting& key, const CurveSetting& clients) {
  require_both(key, clients,
               "the public keys of those who may connect, a file or a folder of .pub "
               "files");
  require_both(clients, key, "the nodes' own key, made by 'tq keygen'");
  if (key.path.empty()) return nullptr;
  return std::make_shared<zmtp::Curve>(
      zmtp::Curve{read_curve_pair(key.path), std::nullopt, read_curve_clients(clients.path)});
}

zmtp::CurvePointer client_curve(const CurveSetting& key, const CurveSetting& server_key) {
  require_both(key, server_key, "the nodes' public key, the .pub file of their --curve-key");
  require_both(server_key, key, "the client's own key, made by 'tq keygen'");
  if (key.path.empty()) return nullptr;
  return std::make_shared<zmtp::Curve>(
      zmtp::Curve{read_curve_pair(key.path), read_curve_public_key(server_key.path), {}});
}

zmtp::CurvePointer client_of(const zmtp::CurvePointer& node) {
  if (node == nullptr) return nullptr;
  return std::make_shared<zmtp::Curve>(zmtp::Curve{node->own, node->own.public_key, {}});
}

}  // namespace tq::runtime
