// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

/// What lies where in the folder of a checkpoint (docs/checkpoints.md, "The folder"), and what its
/// files say that clients write. Reading throws Error naming the file: kNotFound, kDecode for one
/// that is damaged.
namespace tq::client {

// Python's names, so that either client finds what the other saved; the manifest is ours alone.
inline constexpr const char* kMetadataFile = "metadata.json";
inline constexpr const char* kControllerFile = "controller_state.pkl";
inline constexpr const char* kStorageFolder = "simple_storage";
inline constexpr const char* kUnitsFile = "storage_unit_info.json";
inline constexpr const char* kManifestFile = "manifest.json";

/// The metadata of a checkpoint.
struct CheckpointMetadata {
  bool storage_saved = false;
  nlohmann::ordered_json user;
};
void write_metadata(const std::filesystem::path& folder, const nlohmann::ordered_json& user);
/// Throws Error(kNotFound) for a folder that is no checkpoint.
CheckpointMetadata read_metadata(const std::filesystem::path& folder);

/// The file of one unit, below the folder.
std::string unit_file(size_t position, const std::string& id);

/// The ids of the units that saved, by position.
void write_units(const std::filesystem::path& folder, const std::vector<std::string>& ids);
std::vector<std::string> read_units(const std::filesystem::path& folder);

/// A node's file as the manifest lists it.
struct ListedFile {
  std::string path;  // below the folder
  int64_t size_bytes = 0;
  std::string checksum;
};
void write_manifest(const std::filesystem::path& folder, const std::vector<ListedFile>& files);
/// Nothing where a Python client saved, which writes none. Throws Error(kUnsupported) for one of a
/// later release.
std::optional<std::vector<ListedFile>> read_manifest(const std::filesystem::path& folder);
/// Throws Error(kDecode) when the file has not the size that is listed.
void check_size(const std::filesystem::path& folder, const ListedFile& listed);

}  // namespace tq::client
