// SPDX-License-Identifier: Apache-2.0
#include "cli/checkpoint_view.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "checkpoint/reader.h"
#include "client/checkpoint_files.h"
#include "controller/state_file.h"
#include "transfer_queue/error.h"

namespace tq::cli {
namespace {

namespace fs = std::filesystem;
using checkpoint::Kind;
using client::ListedFile;
using File = CheckpointView::File;

checkpoint::FileSource open_file(const fs::path& path) {
  // Not waiting for the writer of a pipe.
  runtime::Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!file.is_open()) {
    throw Error(ErrorCode::kNotFound, fmt::format("cannot open {}: {}", path.string(),
                                                  std::generic_category().message(errno)));
  }
  return {std::move(file), path.string()};
}

std::string written_at(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return {};
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(status.st_mtime));
}

void read_controller(checkpoint::Reader& reader, File& file) {
  const controller::SavedState state =
      controller::read_state(reader, controller::ControllerConfig{}, runtime::TimePoint{});
  file.controller_id = state.id;
  for (const controller::Partition& saved : state.partitions) {
    CheckpointView::Partition partition{
        saved.id(), saved.indexes().size(), saved.keys().size(), {}, {}};
    for (const controller::Field& field : saved.fields()) {
      partition.produced.emplace_back(field.name, field.produced.size());
    }
    saved.for_each_task([&](const std::string& name, const controller::Consumption& task) {
      partition.consumed.emplace_back(name, task.consumed().size());
    });
    std::sort(partition.consumed.begin(), partition.consumed.end());  // they have no order
    file.partitions.push_back(std::move(partition));
  }
}

void check_listed(const File& file, const ListedFile& listed) {
  if (listed.checksum == file.checksum) return;
  throw Error(ErrorCode::kDecode,
              fmt::format("{} has the checksum {}, but the manifest says {}; it was exchanged for "
                          "another file",
                          file.path, file.checksum, listed.checksum));
}

// A file that cannot be read is told among the others; one of another kind of node makes the whole
// checkpoint none of ours.
void read_file(const fs::path& folder, const ListedFile* listed, File& file) {
  try {
    checkpoint::FileSource source = open_file(folder / file.path);
    file.size_bytes = source.size();
    if (listed != nullptr) client::check_size(folder, *listed);
    checkpoint::Reader reader(source, file.is_controller ? Kind::kController : Kind::kStorageUnit,
                              wire::Limits{});
    file.version = checkpoint::kVersion;  // the only one that it reads
    if (file.is_controller) {
      read_controller(reader, file);
    } else {
      storage::summarize_store(reader, file.unit);
    }
    file.checksum = reader.summary().checksum_text();
    if (listed != nullptr) check_listed(file, *listed);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kUnsupported) throw;
    file.problem = error.what();
  }
}

std::vector<File> files_of(const fs::path& folder, bool with_storage) {
  std::vector<File> files(1);
  files[0].path = client::kControllerFile;
  files[0].is_controller = true;
  if (!with_storage) return files;
  for (const std::string& id : client::read_units(folder)) {
    File& file = files.emplace_back();
    file.path = client::unit_file(files.size() - 2, id);
    file.unit.unit_id = id;  // unless the file says another
  }
  return files;
}

}  // namespace

int64_t File::samples() const noexcept {
  if (!is_controller) return unit.samples;
  int64_t count = 0;
  for (const Partition& partition : partitions) count += static_cast<int64_t>(partition.samples);
  return count;
}

size_t File::keys() const noexcept {
  size_t count = 0;
  for (const Partition& partition : partitions) count += partition.keys;
  return count;
}

size_t CheckpointView::damaged() const noexcept {
  return static_cast<size_t>(std::count_if(files.begin(), files.end(),
                                           [](const File& file) { return !file.problem.empty(); }));
}

CheckpointView look_at_checkpoint(const fs::path& folder) {
  const client::CheckpointMetadata metadata = client::read_metadata(folder);
  CheckpointView view{folder, written_at(folder / client::kMetadataFile), metadata.user, false, {}};
  const auto manifest = client::read_manifest(folder);
  view.has_manifest = manifest.has_value();
  const std::vector<ListedFile> all_listed = manifest.value_or(std::vector<ListedFile>());
  view.files = files_of(folder, metadata.storage_saved);
  for (File& file : view.files) {
    const ListedFile* listed = nullptr;
    for (const ListedFile& one : all_listed) {
      if (one.path == file.path) listed = &one;
    }
    read_file(folder, listed, file);
  }
  return view;
}

uint64_t bytes_in(const fs::path& folder) {
  uint64_t bytes = 0;
  std::error_code error;
  // Files come and go while nodes write them.
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code gone;
    const auto size = at->file_size(gone);
    if (!gone) bytes += size;
  }
  return bytes;
}

std::optional<int64_t> samples_in(const fs::path& folder) try {
  int64_t samples = 0;
  for (const File& file : files_of(folder, client::read_metadata(folder).storage_saved)) {
    if (file.is_controller) continue;
    checkpoint::FileSource source = open_file(folder / file.path);
    checkpoint::Reader reader(source, Kind::kStorageUnit, wire::Limits{});
    const auto section = reader.next();
    const wire::Value* count = section ? section->value.find("samples") : nullptr;
    const auto* number = count != nullptr ? count->get_if<int64_t>() : nullptr;
    if (number == nullptr) return std::nullopt;
    samples += *number;
  }
  return samples;
} catch (const Error&) {
  return std::nullopt;
}

}  // namespace tq::cli
