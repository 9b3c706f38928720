// SPDX-License-Identifier: Apache-2.0
#include "transfer_queue/checkpoint.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>

#include <cerrno>
#include <map>
#include <optional>
#include <system_error>

#include "client/checkpoint_json.h"
#include "client/client_impl.h"
#include "runtime/atomic_file.h"

namespace tq {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using client::read_json;
using client::write_json;
using manager::Deadline;
using wire::CheckpointFile;
using wire::CheckpointReceipt;

// Python's names, so that either client finds what the other saved; the manifest is ours alone.
constexpr const char* kMetadata = "metadata.json";
constexpr const char* kController = "controller_state.pkl";
constexpr const char* kStorage = "simple_storage";
constexpr const char* kUnits = "storage_unit_info.json";
constexpr const char* kManifest = "manifest.json";
constexpr const char* kManifestFormat = "transfer_queue checkpoint";
constexpr int kManifestVersion = 1;

// What a file is called in a manifest, and what its node said of it.
using Receipts = std::vector<std::pair<std::string, CheckpointReceipt>>;

Deadline in(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

[[noreturn]] void fail_on_disk(const char* what, const fs::path& path,
                               const std::error_code& error) {
  throw Error(ErrorCode::kUnavailable,
              fmt::format("cannot {} {}: {}", what, path.string(), error.message()));
}

bool is_there(const fs::path& path) {
  std::error_code error;
  const bool found = fs::exists(path, error);
  if (error) fail_on_disk("look at", path, error);
  return found;
}

void remove_folder(const fs::path& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (error) fail_on_disk("remove", folder, error);
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail_on_disk("create", folder, error);
}

void rename_folder(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) fail_on_disk("rename", from, error);
}

fs::path beside(const fs::path& folder, const char* suffix) {
  fs::path path = folder;
  path += suffix;
  return path;
}

// Absolute and without a slash at its end, for the nodes have other working directories.
fs::path clean(const fs::path& folder) {
  if (folder.empty()) throw Error(ErrorCode::kInvalidArgument, "a checkpoint needs a folder");
  fs::path path = fs::absolute(folder).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

// The folder of a checkpoint takes its name in one step where the file system can exchange two
// names; else the old one steps aside first, and load_checkpoint() knows where it is.
void install(const fs::path& written, const fs::path& folder) {
  const fs::path old = beside(folder, ".old");
  if (!is_there(folder)) {
    rename_folder(written, folder);
  } else if (::renameat2(AT_FDCWD, written.c_str(), AT_FDCWD, folder.c_str(), RENAME_EXCHANGE) ==
             0) {
    runtime::sync_folder(folder.parent_path());
    remove_folder(written);
  } else {
    remove_folder(old);
    rename_folder(folder, old);
    rename_folder(written, folder);
  }
  runtime::sync_folder(folder.parent_path());
  remove_folder(old);
}

std::string unit_file(size_t position, const std::string& id) {
  return fmt::format("{}/su_{}_{}.pkl", kStorage, position, id);
}

void write_manifest(const fs::path& folder, const Receipts& receipts) {
  Json files = Json::array();
  for (const auto& [path, receipt] : receipts) {
    files.push_back(
        {{"path", path}, {"size_bytes", receipt.size_bytes}, {"checksum", receipt.checksum}});
  }
  write_json(
      folder / kManifest,
      {{"format", kManifestFormat}, {"version", kManifestVersion}, {"files", std::move(files)}});
}

const Json& entry(const Json& json, const char* key, const fs::path& file) {
  const auto found = json.is_object() ? json.find(key) : json.end();
  if (found != json.end()) return *found;
  throw Error(ErrorCode::kDecode, fmt::format("{} has no '{}'", file.string(), key));
}

template <class T>
T text_or_number(const Json& json, const char* key, const fs::path& file) {
  const Json& found = entry(json, key, file);
  constexpr bool kText = std::is_same_v<T, std::string>;
  if (kText ? found.is_string() : found.is_number_integer()) return found.get<T>();
  throw Error(ErrorCode::kDecode,
              fmt::format("{}: '{}' is no {}", file.string(), key, kText ? "str" : "int"));
}

// path -> checksum; nothing where a Python client saved, which writes no manifest.
std::optional<std::map<std::string, std::string>> read_manifest(const fs::path& folder) {
  const fs::path file = folder / kManifest;
  if (!is_there(file)) return std::nullopt;
  const Json json = read_json(file);
  if (text_or_number<std::string>(json, "format", file) != kManifestFormat ||
      text_or_number<int64_t>(json, "version", file) != kManifestVersion) {
    throw Error(
        ErrorCode::kUnsupported,
        fmt::format("{} is of a later release; load the checkpoint with that one", file.string()));
  }
  std::map<std::string, std::string> checksums;
  for (const Json& listed : entry(json, "files", file)) {
    const auto path = text_or_number<std::string>(listed, "path", file);
    const auto size = text_or_number<int64_t>(listed, "size_bytes", file);
    std::error_code error;
    const auto found = fs::file_size(folder / path, error);
    if (error || found != static_cast<uint64_t>(size)) {
      throw Error(ErrorCode::kDecode,
                  fmt::format("{} is {}, but the manifest beside it says {} bytes; the checkpoint "
                              "is damaged",
                              (folder / path).string(),
                              error ? error.message() : fmt::format("{} bytes long", found), size));
    }
    checksums[path] = text_or_number<std::string>(listed, "checksum", file);
  }
  return checksums;
}

}  // namespace

/// The parts of a checkpoint in a folder, of a client.
class CheckpointFolder {
 public:
  CheckpointFolder(TransferQueueClient& client, fs::path folder, std::chrono::milliseconds deadline)
      : impl_(client.impl()),
        folder_(std::move(folder)),
        deadline_(deadline.count() > 0 ? deadline : TransferQueueClient::kCheckpointDeadline) {}

  void save_controller(const fs::path& file) {
    const wire::Envelope reply = impl_.controller.ask_for<wire::SaveControllerCheckpointResponse>(
        wire::SaveControllerCheckpoint{file.string()}, how({}));
    note(file.filename(), CheckpointReceipt::of(reply.body));
  }

  void save_units() {
    make_folder(folder_ / kStorage);
    std::vector<std::string> paths;
    Json units = Json::array();
    for (const ServerInfo& unit : impl_.nodes.storage_units) {
      paths.push_back((folder_ / unit_file(paths.size(), unit.id)).string());
      units.push_back({{"position", units.size()}, {"storage_unit_id", unit.id}});
    }
    const auto receipts = impl_.storage.save_checkpoint(paths, in(deadline_));
    for (size_t k = 0; k < receipts.size(); ++k) {
      note(unit_file(k, impl_.nodes.storage_units[k].id), receipts[k]);
    }
    write_json(folder_ / kStorage / kUnits, units);
    runtime::sync_folder(folder_ / kStorage);
  }

  const Receipts& receipts() const noexcept { return receipts_; }

  /// From then on files must be those that the manifest lists.
  void read_manifest_if_any() { manifest_ = read_manifest(folder_); }

  void load_controller(const fs::path& file) {
    wire::CheckpointOrder order;
    order.files.push_back({file.string(), 0, checksum_of(file.filename())});
    impl_.controller.ask_for<wire::LoadControllerCheckpointResponse>(
        wire::LoadControllerCheckpoint{file.string()}, how(order.to_extension()));
  }

  manager::StorageManager::PreparedLoad prepare_units() {
    const fs::path list = folder_ / kStorage / kUnits;
    const Json units = read_json(list);
    if (!units.is_array() || units.empty()) {
      throw Error(ErrorCode::kDecode, fmt::format("{} lists no storage units", list.string()));
    }
    std::vector<CheckpointFile> files(units.size());
    for (const Json& unit : units) {
      const auto position = text_or_number<int64_t>(unit, "position", list);
      const auto id = text_or_number<std::string>(unit, "storage_unit_id", list);
      if (position < 0 || static_cast<size_t>(position) >= files.size() ||
          !files[static_cast<size_t>(position)].path.empty()) {
        throw Error(ErrorCode::kDecode,
                    fmt::format("{} has no unit, or two, at position {}", list.string(), position));
      }
      const std::string name = unit_file(static_cast<size_t>(position), id);
      files[static_cast<size_t>(position)] = {(folder_ / name).string(), position,
                                              checksum_of(name)};
    }
    return impl_.storage.prepare_load(std::move(files), in(deadline_));
  }

  void commit_units(const manager::StorageManager::PreparedLoad& load) {
    impl_.storage.commit_load(load, in(deadline_));
  }
  void abort_units(const manager::StorageManager::PreparedLoad& load) noexcept {
    impl_.storage.abort_load(load, impl_.deadline());
  }

 private:
  client::Ask how(Map extension) const {
    client::Ask ask{in(deadline_)};
    ask.extension = std::move(extension);
    ask.reach_within = manager::kReachWithin;
    return ask;
  }
  void note(const std::string& name, const std::optional<CheckpointReceipt>& receipt) {
    if (receipt) receipts_.emplace_back(name, *receipt);
  }
  std::optional<std::string> checksum_of(const std::string& name) const {
    if (!manifest_) return std::nullopt;
    const auto found = manifest_->find(name);
    if (found == manifest_->end()) return std::nullopt;  // a Python node's
    return found->second;
  }

  TransferQueueClient::Impl& impl_;
  const fs::path folder_;
  const std::chrono::milliseconds deadline_;
  Receipts receipts_;
  std::optional<std::map<std::string, std::string>> manifest_;
};

void TransferQueueClient::save_controller_checkpoint(const fs::path& file,
                                                     std::chrono::milliseconds deadline) {
  const fs::path path = clean(file);
  CheckpointFolder(*this, path.parent_path(), deadline).save_controller(path);
}

void TransferQueueClient::load_controller_checkpoint(const fs::path& file,
                                                     std::chrono::milliseconds deadline) {
  const fs::path path = clean(file);
  CheckpointFolder(*this, path.parent_path(), deadline).load_controller(path);
}

void TransferQueueClient::save_storage_checkpoint(const fs::path& folder,
                                                  std::chrono::milliseconds deadline) {
  CheckpointFolder(*this, clean(folder), deadline).save_units();
}

void TransferQueueClient::load_storage_checkpoint(const fs::path& folder,
                                                  std::chrono::milliseconds deadline) {
  CheckpointFolder checkpoint(*this, clean(folder), deadline);
  checkpoint.commit_units(checkpoint.prepare_units());
}

void save_checkpoint(TransferQueueClient& client, const fs::path& folder,
                     const SaveCheckpointOptions& options) {
  const fs::path target = clean(folder);
  const fs::path written = beside(target, ".tmp");
  const Json metadata = client::to_json(options.metadata);  // before anything is written
  remove_folder(written);
  make_folder(written);
  try {
    CheckpointFolder checkpoint(client, written, options.deadline);
    checkpoint.save_controller(written / kController);
    checkpoint.save_units();
    write_json(written / kMetadata, {{"storage_saved", true}, {"user_metadata", metadata}});
    write_manifest(written, checkpoint.receipts());
    runtime::sync_folder(written);
    install(written, target);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(written, ignored);
    const fs::path old = beside(target, ".old");
    if (!fs::exists(target, ignored) && fs::exists(old, ignored)) fs::rename(old, target, ignored);
    throw;
  }
}

Map load_checkpoint(TransferQueueClient& client, const fs::path& folder,
                    std::chrono::milliseconds deadline) {
  const fs::path source = clean(folder);
  const fs::path old = beside(source, ".old");
  // A client died between the two renames of a save.
  if (!is_there(source) && is_there(old)) rename_folder(old, source);
  if (!is_there(source / kMetadata)) {
    throw Error(ErrorCode::kNotFound, fmt::format("{} is no checkpoint: there is no {} in it",
                                                  source.string(), kMetadata));
  }
  const Json metadata = read_json(source / kMetadata);
  CheckpointFolder checkpoint(client, source, deadline);
  checkpoint.read_manifest_if_any();
  const bool with_storage = metadata.is_object() && metadata.value("storage_saved", Json()) == true;
  if (with_storage) {
    const auto prepared = checkpoint.prepare_units();
    try {
      checkpoint.load_controller(source / kController);
    } catch (const Error&) {
      checkpoint.abort_units(prepared);
      throw;
    }
    checkpoint.commit_units(prepared);
  } else {
    checkpoint.load_controller(source / kController);
  }
  Value user =
      client::from_json(metadata.is_object() ? metadata.value("user_metadata", Json()) : Json());
  Map* map = user.get_mutable_if<Map>();
  return map != nullptr ? std::move(*map) : Map{};
}

}  // namespace tq
