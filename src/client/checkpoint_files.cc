// SPDX-License-Identifier: Apache-2.0
#include "client/checkpoint_files.h"

#include <fmt/format.h>

#include <system_error>
#include <type_traits>

#include "client/checkpoint_json.h"
#include "transfer_queue/error.h"

namespace tq::client {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kManifestFormat = "transfer_queue checkpoint";
constexpr int kManifestVersion = 1;

bool is_there(const fs::path& path) {
  std::error_code error;
  const bool found = fs::exists(path, error);
  if (!error) return found;
  throw Error(ErrorCode::kUnavailable,
              fmt::format("cannot look at {}: {}", path.string(), error.message()));
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

}  // namespace

void write_metadata(const fs::path& folder, const Json& user) {
  write_json(folder / kMetadataFile, {{"storage_saved", true}, {"user_metadata", user}});
}

CheckpointMetadata read_metadata(const fs::path& folder) {
  if (!is_there(folder / kMetadataFile)) {
    throw Error(ErrorCode::kNotFound, fmt::format("{} is no checkpoint: there is no {} in it",
                                                  folder.string(), kMetadataFile));
  }
  const Json json = read_json(folder / kMetadataFile);
  if (!json.is_object()) return {};
  return {json.value("storage_saved", Json()) == true, json.value("user_metadata", Json())};
}

std::string unit_file(size_t position, const std::string& id) {
  return fmt::format("{}/su_{}_{}.pkl", kStorageFolder, position, id);
}

void write_units(const fs::path& folder, const std::vector<std::string>& ids) {
  Json units = Json::array();
  for (const std::string& id : ids) {
    units.push_back({{"position", units.size()}, {"storage_unit_id", id}});
  }
  write_json(folder / kStorageFolder / kUnitsFile, units);
}

std::vector<std::string> read_units(const fs::path& folder) {
  const fs::path list = folder / kStorageFolder / kUnitsFile;
  const Json units = read_json(list);
  if (!units.is_array() || units.empty()) {
    throw Error(ErrorCode::kDecode, fmt::format("{} lists no storage units", list.string()));
  }
  std::vector<std::optional<std::string>> ids(units.size());
  for (const Json& unit : units) {
    const auto position = text_or_number<int64_t>(unit, "position", list);
    const auto id = text_or_number<std::string>(unit, "storage_unit_id", list);
    if (position < 0 || static_cast<size_t>(position) >= ids.size() ||
        ids[static_cast<size_t>(position)]) {
      throw Error(ErrorCode::kDecode,
                  fmt::format("{} has no unit, or two, at position {}", list.string(), position));
    }
    ids[static_cast<size_t>(position)] = id;
  }
  std::vector<std::string> all;
  all.reserve(ids.size());
  for (std::optional<std::string>& id : ids) all.push_back(std::move(*id));
  return all;
}

void write_manifest(const fs::path& folder, const std::vector<ListedFile>& files) {
  Json listed = Json::array();
  for (const ListedFile& file : files) {
    listed.push_back(
        {{"path", file.path}, {"size_bytes", file.size_bytes}, {"checksum", file.checksum}});
  }
  write_json(
      folder / kManifestFile,
      {{"format", kManifestFormat}, {"version", kManifestVersion}, {"files", std::move(listed)}});
}

std::optional<std::vector<ListedFile>> read_manifest(const fs::path& folder) {
  const fs::path file = folder / kManifestFile;
  if (!is_there(file)) return std::nullopt;
  const Json json = read_json(file);
  if (text_or_number<std::string>(json, "format", file) != kManifestFormat ||
      text_or_number<int64_t>(json, "version", file) != kManifestVersion) {
    throw Error(
        ErrorCode::kUnsupported,
        fmt::format("{} is of a later release; load the checkpoint with that one", file.string()));
  }
  std::vector<ListedFile> files;
  for (const Json& listed : entry(json, "files", file)) {
    files.push_back({text_or_number<std::string>(listed, "path", file),
                     text_or_number<int64_t>(listed, "size_bytes", file),
                     text_or_number<std::string>(listed, "checksum", file)});
  }
  return files;
}

void check_size(const fs::path& folder, const ListedFile& listed) {
  std::error_code error;
  const auto found = fs::file_size(folder / listed.path, error);
  if (!error && found == static_cast<uint64_t>(listed.size_bytes)) return;
  throw Error(ErrorCode::kDecode,
              fmt::format("{} is {}, but the manifest beside it says {} bytes; the checkpoint is "
                          "damaged",
                          (folder / listed.path).string(),
                          error ? error.message() : fmt::format("{} bytes long", found),
                          listed.size_bytes));
}

}  // namespace tq::client
