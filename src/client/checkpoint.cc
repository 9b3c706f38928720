// SPDX-License-Identifier: Apache-2.0
#include "transfer_queue/checkpoint.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>

#include <cerrno>
#include <optional>
#include <system_error>

#include "client/checkpoint_files.h"
#include "client/checkpoint_json.h"
#include "client/client_impl.h"
#include "runtime/atomic_file.h"

namespace tq {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using manager::Deadline;
using wire::CheckpointFile;
using wire::CheckpointReceipt;

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
    make_folder(folder_ / client::kStorageFolder);
    std::vector<std::string> paths;
    std::vector<std::string> ids;
    for (const ServerInfo& unit : impl_.nodes.storage_units) {
      paths.push_back((folder_ / client::unit_file(paths.size(), unit.id)).string());
      ids.push_back(unit.id);
    }
    const auto receipts = impl_.storage.save_checkpoint(paths, in(deadline_));
    for (size_t k = 0; k < receipts.size(); ++k) note(client::unit_file(k, ids[k]), receipts[k]);
    client::write_units(folder_, ids);
    runtime::sync_folder(folder_ / client::kStorageFolder);
  }

  /// What the nodes said of the files that they wrote.
  const std::vector<client::ListedFile>& saved() const noexcept { return saved_; }

  /// From then on files must be those that the manifest lists.
  void read_manifest_if_any() {
    manifest_ = client::read_manifest(folder_).value_or(std::vector<client::ListedFile>());
    for (const client::ListedFile& listed : manifest_) client::check_size(folder_, listed);
  }

  void load_controller(const fs::path& file) {
    wire::CheckpointOrder order;
    order.files.push_back({file.string(), 0, checksum_of(file.filename())});
    impl_.controller.ask_for<wire::LoadControllerCheckpointResponse>(
        wire::LoadControllerCheckpoint{file.string()}, how(order.to_extension()));
  }

  manager::StorageManager::PreparedLoad prepare_units() {
    std::vector<CheckpointFile> files;
    for (const std::string& id : client::read_units(folder_)) {
      const std::string name = client::unit_file(files.size(), id);
      files.push_back(
          {(folder_ / name).string(), static_cast<int64_t>(files.size()), checksum_of(name)});
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
    if (receipt) saved_.push_back({name, receipt->size_bytes, receipt->checksum});
  }
  std::optional<std::string> checksum_of(const std::string& name) const {
    for (const client::ListedFile& listed : manifest_) {
      if (listed.path == name) return listed.checksum;
    }
    return std::nullopt;  // a Python node's
  }

  TransferQueueClient::Impl& impl_;
  const fs::path folder_;
  const std::chrono::milliseconds deadline_;
  std::vector<client::ListedFile> saved_;
  std::vector<client::ListedFile> manifest_;  // empty where there is none
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
    checkpoint.save_controller(written / client::kControllerFile);
    checkpoint.save_units();
    client::write_metadata(written, metadata);
    client::write_manifest(written, checkpoint.saved());
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
  const client::CheckpointMetadata metadata = client::read_metadata(source);
  CheckpointFolder checkpoint(client, source, deadline);
  checkpoint.read_manifest_if_any();
  if (metadata.storage_saved) {
    const auto prepared = checkpoint.prepare_units();
    try {
      checkpoint.load_controller(source / client::kControllerFile);
    } catch (const Error&) {
      checkpoint.abort_units(prepared);
      throw;
    }
    checkpoint.commit_units(prepared);
  } else {
    checkpoint.load_controller(source / client::kControllerFile);
  }
  Value user = client::from_json(metadata.user);
  Map* map = user.get_mutable_if<Map>();
  return map != nullptr ? std::move(*map) : Map{};
}

}  // namespace tq
